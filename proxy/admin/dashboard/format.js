// Numbers for people: three digits that matter, a unit, and always the same width of thought.

const thin = "\u202f"; // between a number and its unit

function three(value) {
  if (value >= 99.95 || value === 0) {
    return String(Math.round(value));
  }
  return value >= 9.995 ? value.toFixed(1) : value.toFixed(2);
}

function scaled(value, base, units) {
  let i = 0;
  let rest = Math.max(0, value);
  while (rest >= base * 0.9995 && i < units.length - 1) {
    rest /= base;
    i += 1;
  }
  return [rest, units[i]];
}

// [number, unit]; the unit may be empty.
export function countParts(value) {
  if (value < 10000) {
    return [Number.isInteger(value) ? value.toLocaleString("en") : three(value), ""];
  }
  const [rest, unit] = scaled(value, 1000, ["", "k", "M", "G", "T"]);
  return [three(rest), unit];
}

export function bytesParts(value) {
  const [rest, unit] = scaled(value, 1024, ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]);
  return [unit === "B" ? String(Math.round(rest)) : three(rest), unit];
}

export function durationParts(us) {
  if (us < 1000) {
    return [String(Math.round(us)), "µs"];
  }
  if (us < 1e6) {
    return [three(us / 1000), "ms"];
  }
  return [three(us / 1e6), "s"];
}

function join([number, unit]) {
  return unit ? number + thin + unit : number;
}

export const count = (value) => join(countParts(value));
export const bytes = (value) => join(bytesParts(value));
export const rate = (value) => join(countParts(value)) + "/s";
export const byteRate = (value) => join(bytesParts(value)) + "/s";

export function duration(us) {
  return us === null || us === undefined ? "–" : join(durationParts(us));
}

// A part of a whole; a dash if there is no whole. Nothing, everything and more than that are told without
// decimals: 99.99 % is not everything, and the numbers of a column are aligned.
export function percent(part, whole) {
  if (!whole) {
    return "–";
  }
  const value = (100 * part) / whole;
  if (value === 0 || value >= 100) {
    return Math.round(value) + thin + "%";
  }
  return (value > 99.5 ? (Math.floor(value * 100) / 100).toFixed(2) : value.toFixed(1)) + thin + "%";
}

// A value at an axis: round, so without decimals that say nothing.
export const mark = (text) => text.replace(/\.0+(?=\D|$)|(\.\d*?[1-9])0+(?=\D|$)/, "$1");

// Seconds as "3 d 4 h", "12 min", "8 s".
export function age(seconds) {
  const s = Math.max(0, Math.round(seconds));
  const parts = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const at = parts.findIndex(([size]) => s >= size);
  if (at < 0) {
    return "0" + thin + "s";
  }
  const [size, unit] = parts[at];
  const first = Math.floor(s / size) + thin + unit;
  const rest = at < 2 ? Math.floor((s % size) / parts[at + 1][0]) : 0;
  return rest ? first + " " + rest + thin + parts[at + 1][1] : first;
}

// A time of today as 14:03:07.
export function clock(ms, withSeconds = true) {
  return new Date(ms).toLocaleTimeString("en-GB", {
    hour: "2-digit", minute: "2-digit", second: withSeconds ? "2-digit" : undefined,
  });
}
