/** Numbers for documents of one name: a name is looked for from the first number that it was not tried with. Names that differ in case alone are one. */
export class NameNumbers {
  readonly #next = new Map<string, number>();

  /** From 1 on, each once. `name`: with the folder that it is for. */
  next(name: string): number {
    const known = name.toLowerCase();
    const number = this.#next.get(known) ?? 1;
    this.#next.set(known, number + 1);
    return number;
  }

  /** What had this number is gone: it comes again. */
  free(name: string, number: number): void {
    const known = name.toLowerCase();
    this.#next.set(known, Math.min(number, this.#next.get(known) ?? 1));
  }
}

/** The name with its number put before the ending: `letter (2).txt`. The first has none. A folder may stand before it. */
export function numbered(name: string, number: number): string {
  if (number === 1) return name;
  const dot = name.lastIndexOf(".");
  // What begins with a dot has no ending.
  const end = dot > name.lastIndexOf("/") + 1 ? dot : name.length;
  return `${name.slice(0, end)} (${number})${name.slice(end)}`;
}
