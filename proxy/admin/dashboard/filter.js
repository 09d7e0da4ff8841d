// What is typed above the list of requests. Words are looked for anywhere; `host:*.example.net` and the
// like in one field, with the patterns of `larderctl tail`: `*` is any text, `?` any character.

const place = (row) => row.url.replace(/^[a-z]+:\/\//, "");
const hostOf = (row) => place(row).replace(/[/?].*$/s, "");
const statusOf = (row) => [String(row.status), `${Math.floor(row.status / 100)}xx`];

// What a field of a request may be called.
const fields = {
  host: (row) => [hostOf(row), hostOf(row).replace(/:\d+$/, "")],
  path: (row) => [place(row).slice(hostOf(row).length) || "/"],
  client: (row) => [row.client ?? ""],
  user: (row) => [row.user ?? ""],
  mirror: (row) => [row.mirror ?? ""],
  method: (row) => [row.method],
  status: statusOf,
  outcome: (row) => [row.outcome],
  reason: (row) => [row.reason, row.store_reason ?? ""],
};

function pattern(text) {
  const source = text.replace(/[\\^$.+()[\]{}|/-]/g, "\\$&").replace(/\*+/g, ".*").replaceAll("?", ".");
  return new RegExp(`^${source}$`, "is");
}

// text => (row, all that is shown of it) => is it wanted?
export function filterOf(text) {
  const tests = text.split(/\s+/).filter(Boolean).map((word) => {
    const at = word.indexOf(":");
    const field = at > 0 && at < word.length - 1 ? fields[word.slice(0, at).toLowerCase()] : null;
    if (field) {
      const wanted = pattern(word.slice(at + 1));
      return (row) => field(row).some((value) => wanted.test(value));
    }
    const lower = word.toLowerCase();
    return (row, shown) => shown.includes(lower);
  });
  return (row, shown) => tests.every((test) => test(row, shown.toLowerCase()));
}
