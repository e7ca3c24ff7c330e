/** A list by keyboard: arrows, Home and End, the first letters of a name, and what can be done with the row that has the focus. */

/** Letters that come sooner after each other than this are of one name. Milliseconds. */
const TYPING = 1000;

export interface ListActs {
  count(): number;
  /** The row at this place, drawn. */
  reach(at: number): HTMLElement | undefined;
  /** The next place, from this one on and around, whose name begins so. */
  startsWith(typed: string, from: number): number | undefined;
  toggle(at: number): void;
  extend(from: number, to: number): void;
  all(): void;
  none(): void;
  rename(at: number): void;
  delete(at: number): void;
}

export function listKeys(list: HTMLElement, acts: ListActs): void {
  let [typed, last] = ["", 0];

  const go = (to: number, from: number, event: KeyboardEvent) => {
    const at = Math.max(0, Math.min(to, acts.count() - 1));
    if (event.shiftKey) acts.extend(from, at);
    focusRow(acts.reach(at), event.target);
  };

  const type = (letter: string, at: number, event: KeyboardEvent) => {
    typed = event.timeStamp - last < TYPING ? typed + letter : letter;
    last = event.timeStamp;
    // The same letter again goes on to the next; more letters may still be of the same row.
    const again = [...typed].every((each) => each === letter);
    const found = acts.startsWith(again ? letter : typed, again ? at + 1 : at);
    if (found !== undefined) focusRow(acts.reach(found), event.target);
  };

  list.addEventListener("keydown", (event) => {
    const row = (event.target as HTMLElement).closest<HTMLElement>("[role=listitem]");
    if (!row || event.altKey) return;
    const at = Number(row.ariaPosInSet) - 1;
    const command = event.ctrlKey || event.metaKey;
    const act = command ? commandOf(event.key) : keyOf(event.key);
    if (act) act();
    else if (!command && event.key.length === 1 && event.key.trim() !== "" && !"?/".includes(event.key))
      type(event.key, at, event);
    else return;
    event.preventDefault();

    function keyOf(key: string): (() => void) | undefined {
      switch (key) {
        case "ArrowDown":
          return () => go(at + 1, at, event);
        case "ArrowUp":
          return () => go(at - 1, at, event);
        case "Home":
          return () => go(0, at, event);
        case "End":
          return () => go(acts.count() - 1, at, event);
        case "F2":
          return () => acts.rename(at);
        case "Delete":
          return () => acts.delete(at);
        case "Escape":
          return () => acts.none();
        default:
          return undefined;
      }
    }

    function commandOf(key: string): (() => void) | undefined {
      if (key === "a") return () => acts.all();
      if (key === " ") return () => acts.toggle(at);
      return undefined;
    }
  });
}

/** To the part of the row that had the focus in the one before: its checkbox, or its name. */
function focusRow(row: HTMLElement | undefined, from: EventTarget | null): void {
  const box = row?.querySelector<HTMLElement>("[data-pick]");
  const name = row?.querySelector<HTMLButtonElement>("[data-open]");
  const boxed = from instanceof HTMLElement && from.matches("[data-pick]");
  const wanted = boxed || name?.disabled ? box : name;
  wanted?.focus();
  row?.scrollIntoView({ block: "nearest" });
}
