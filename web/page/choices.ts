/** What a person has chosen for this page, in this browser. Where it keeps nothing (blocked, or full), a choice is of this load of the page alone. */

/** What the browser does not keep. */
const kept = new Map<string, string | undefined>();

/** Undefined where nothing was chosen. */
export function choice(name: string): string | undefined {
  if (kept.has(name)) return kept.get(name);
  try {
    return localStorage.getItem(name) ?? undefined;
  } catch {
    return undefined;
  }
}

/** Undefined takes it back. */
export function keepChoice(name: string, value: string | undefined): void {
  try {
    if (value === undefined) localStorage.removeItem(name);
    else localStorage.setItem(name, value);
    kept.delete(name);
  } catch {
    kept.set(name, value);
  }
}
