/** Runs on the vault's pages. */
import { CofferError } from "#protocol/error.ts";
import { browserPeers, openStore, restRegistration, settleSessions } from "#web/microservice/index.ts";
import { type Held, Hold, LOOK } from "./hold.ts";

/** How long the keys of this browser may take to go before the server is told, milliseconds. */
const PATIENCE = 3000;
const WORDS: Record<"en" | "de", Record<Held, string>> = {
  en: {
    held: "One moment, so that you can read this first.",
    unfocused: "Select this window to answer.",
    small: "Make this window larger to answer.",
    free: "You can answer now.",
  },
  de: {
    held: "Einen Moment, damit Sie das zuerst lesen können.",
    unfocused: "Wählen Sie dieses Fenster aus, um zu antworten.",
    small: "Machen Sie dieses Fenster größer, um zu antworten.",
    free: "Sie können jetzt antworten.",
  },
};
/** The page is in the reader's language. */
const words = WORDS[document.documentElement.lang === "de" ? "de" : "en"];

const peers = browserPeers(BroadcastChannel);
const forms = [...document.querySelectorAll<HTMLFormElement>("form[data-held]")];
const buttons = forms.flatMap((form) => [...form.querySelectorAll("button")]);
const status = document.querySelector<HTMLElement>("[data-wait]");
const question = document.querySelector("[data-seen]");
const hold = new Hold();
let seen = question === null;
let state: Held = "held";
let sent = false;

if (question)
  new IntersectionObserver(
    (entries, observer) => {
      if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
      seen = true;
      observer.disconnect();
    },
    { threshold: 0.5 },
  ).observe(question);

function look(): void {
  const attention = {
    visible: document.visibilityState === "visible",
    focused: document.hasFocus(),
    width: innerWidth,
    height: innerHeight,
    seen,
  };
  state = sent ? "held" : hold.look(attention, performance.now());
  for (const button of buttons) button.disabled = state !== "free";
  const said = sent ? "" : words[state];
  if (status && status.textContent !== said) status.textContent = said;
}

function press(event: Event): void {
  hold.press();
  // A key that is held down, and the second click of a double click, were meant for something else.
  if (event instanceof KeyboardEvent && event.repeat) event.preventDefault();
}

const isText = ({ target }: Event) => target instanceof HTMLInputElement;
addEventListener("pointerdown", press, true);
addEventListener(
  "keydown",
  (event) => {
    if (event.key === "Escape") return decline();
    if (event.key === "Enter" || (event.key === " " && !isText(event))) press(event);
  },
  true,
);
addEventListener(
  "click",
  (event) => {
    if (event.detail > 1 && (event.target as Element).closest("button")) event.preventDefault();
  },
  true,
);
for (const name of ["blur", "focus", "resize", "pageshow"]) addEventListener(name, look);
document.addEventListener("visibilitychange", look);
// Out of the back/forward cache, the page is requested again.
addEventListener("pageshow", ({ persisted }) => {
  if (!persisted) return;
  sent = false;
  hold.restart();
});

for (const form of forms)
  form.addEventListener("submit", (event) => {
    look();
    if (state !== "free") return event.preventDefault();
    sent = true;
    const { ends } = form.dataset;
    if (ends !== undefined) {
      event.preventDefault();
      void end(ends === "*" ? null : ends).finally(() => form.submit());
    }
    // After the form's data has been taken.
    setTimeout(look);
  });

function decline(): void {
  document.querySelector<HTMLAnchorElement>("a[data-decline]")?.click();
}

/** Ends the instances of an app, or of all, in this browser. Here first: whatever the server says, no key is left. */
async function end(origin: string | null): Promise<void> {
  const work = openStore().then((store) =>
    origin === null ? store.deleteEnded({ live: null, now: Date.now() }) : store.deleteInstances(origin),
  );
  const late = new Promise<void>((resolve) => setTimeout(resolve, PATIENCE));
  await Promise.race([work.catch(() => {}), late]);
  peers.tell({ origin, live: null });
}

/** A page of the vault is a good time to see whether what this browser keeps is still of the live session. */
async function settle(): Promise<void> {
  // Where the browser came from another site the page was not shown the session, and the next page will be.
  if (document.body.dataset.session === "unknown") return;
  const store = await openStore();
  // Where nobody is signed in the page says so, and there is nothing to ask.
  const registration =
    document.body.dataset.session === "none"
      ? { session: () => Promise.reject(new CofferError("no-session")) }
      : restRegistration(fetch.bind(globalThis), location.origin);
  await settleSessions({ store, registration, peers, now: Date.now });
}

look();
setInterval(look, LOOK);
void settle().catch(() => {});
