/** What the vault itself says to a person, in English and German: the first of the browser's languages that there is. */

const GERMAN = {
  "Add a passkey": "Passkey hinzufügen",
  "The passkey is added.": "Der Passkey ist hinzugefügt.",
  "No passkey was added.": "Es wurde kein Passkey hinzugefügt.",
  "Sign in again first.": "Melden Sie sich zuerst noch einmal an.",
  "This passkey is there already, or there are too many.":
    "Diesen Passkey gibt es schon, oder es sind zu viele.",
  "This passkey is not taken here.": "Dieser Passkey wird hier nicht angenommen.",
  "There is no network.": "Es gibt kein Netz.",
  "That did not work. Try again.": "Das ist nicht gelungen. Versuchen Sie es noch einmal.",
  "This vault's keys are under your passkey.":
    "Die Schlüssel dieses Tresors sind mit Ihrem Passkey gesichert.",
  "Unlock with your passkey": "Mit Ihrem Passkey entsperren",
  "Go on without it": "Ohne ihn weiter",
  "That did not unlock it. Try again, or go on without it: the vault then makes other keys.":
    "Das hat den Tresor nicht entsperrt. Versuchen Sie es noch einmal, oder machen Sie ohne ihn weiter: Der Tresor macht dann andere Schlüssel.",
} as const;

export type Words = keyof typeof GERMAN;

export function languageOf(languages: readonly string[] = navigator.languages): "en" | "de" {
  return (
    languages.map((tag) => tag.split("-")[0]?.toLowerCase()).find((tag) => tag === "en" || tag === "de") ??
    "en"
  );
}

export function t(words: Words): string {
  return languageOf() === "de" ? GERMAN[words] : words;
}
