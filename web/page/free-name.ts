/** The name itself where it is free, else with a number before its ending: `letter (2).txt`. */
export function freeName(name: string, taken: (name: string) => boolean): string {
  for (let number = 1; ; number++) {
    const wanted = numbered(name, number);
    if (!taken(wanted)) return wanted;
  }
}

/** The name of the so-manieth of one name, a folder before it or not. */
export function numbered(name: string, number: number): string {
  if (number === 1) return name;
  const dot = name.lastIndexOf(".");
  // What begins with a dot has no ending.
  const end = dot > name.lastIndexOf("/") + 1 ? dot : name.length;
  return `${name.slice(0, end)} (${number})${name.slice(end)}`;
}
