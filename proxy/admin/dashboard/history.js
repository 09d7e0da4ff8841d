// What /history has told so far, by step, kept as long as the proxy keeps it.

const sizes = { 1: 600, 10: 720, 120: 720 };

export class History {
  constructor() {
    this.levels = {};
  }

  // Appends an answer of /history; an answer that does not join begins anew.
  add(answer) {
    const before = this.levels[answer.step];
    if (!before || before.next !== answer.first) {
      this.levels[answer.step] = answer;
      return;
    }
    for (const [name, values] of Object.entries(answer.series)) {
      const all = before.series[name];
      all.push(...values);
      all.splice(0, Math.max(0, all.length - sizes[answer.step]));
    }
    before.next = answer.next;
    before.end = answer.end;
  }

  // To be asked for next.
  since(step) {
    return this.levels[step]?.next ?? 0;
  }

  level(step) {
    return this.levels[step] ?? null;
  }

  // A new process counts from nothing.
  clear() {
    this.levels = {};
  }

  // The sum of a series over its last `points` points, all without a number.
  sum(step, name, points = Infinity) {
    const all = this.levels[step]?.series[name] ?? [];
    return all.slice(Math.max(0, all.length - points)).reduce((sum, value) => sum + value, 0);
  }

  // Seconds that the last `points` points cover.
  seconds(step, points = Infinity) {
    return Math.min(points, this.levels[step]?.series.requests.length ?? 0) * step;
  }

  last(step, name) {
    return this.levels[step]?.series[name].at(-1) ?? null;
  }
}
