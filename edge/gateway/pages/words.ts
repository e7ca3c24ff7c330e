/**
 * What the vault's pages say, in English and German: the first of the reader's languages that there is, as the browser names them (RFC 9110 §12.5.4
 * Accept-Language). English is the name of each sentence; `{name}` in it is put in where it is said, as HTML.
 */

const GERMAN = {
  "Sign in": "Anmelden",
  "Sign in to {app}": "Bei {app} anmelden",
  "Sign in to {app}?": "Bei {app} anmelden?",
  "Not signed in": "Nicht angemeldet",
  "Unknown app": "Unbekannte App",
  "This app is not known here": "Diese App ist hier nicht bekannt",
  "It asked to sign you in, but it is not registered with this vault, or wants to be answered at another address. Nothing was sent to it.":
    "Sie wollte Sie anmelden, ist aber bei diesem Tresor nicht registriert oder will die Antwort an eine andere Adresse. Ihr wurde nichts gesandt.",
  "Sign-in is not set up": "Die Anmeldung ist nicht eingerichtet",
  "No identity provider is configured on this server, so nobody can sign in. Whoever runs it finds in its documentation how to name one.":
    "Auf diesem Server ist kein Identitätsanbieter eingestellt, also kann sich niemand anmelden. Wer ihn betreibt, findet in seiner Dokumentation, wie man einen angibt.",
  "Continue as {name}": "Weiter als {name}",
  "Use another name": "Einen anderen Namen verwenden",
  "Nobody is signed in at this vault in this browser any more.":
    "An diesem Tresor ist in diesem Browser niemand mehr angemeldet.",
  Cancel: "Abbrechen",
  "Try again": "Noch einmal",
  "Request {id}": "Anfrage {id}",
  "You are not signed in": "Sie sind nicht angemeldet",
  "Your identity provider did not sign you in. If you did not cancel it yourself, it may not let you use this vault.":
    "Ihr Identitätsanbieter hat Sie nicht angemeldet. Wenn Sie nicht selbst abgebrochen haben, lässt er Sie diesen Tresor vielleicht nicht verwenden.",
  "This sign-in is over": "Diese Anmeldung ist vorbei",
  "It was begun too long ago, in another browser, or another one was begun since. Go back to the app and sign in again.":
    "Sie wurde vor zu langer Zeit begonnen, in einem anderen Browser, oder inzwischen wurde eine andere begonnen. Gehen Sie zurück zur App, und melden Sie sich noch einmal an.",
  "What your identity provider answered cannot be trusted, so nobody was signed in. Try again; if it goes on, tell whoever runs this server.":
    "Der Antwort Ihres Identitätsanbieters ist nicht zu trauen, also wurde niemand angemeldet. Versuchen Sie es noch einmal; wenn es so bleibt, sagen Sie es denen, die diesen Server betreiben.",
  "You cannot sign in right now": "Sie können sich gerade nicht anmelden",
  "Your identity provider does not answer as it should. Try again in a minute; if it goes on, tell whoever runs this server.":
    "Ihr Identitätsanbieter antwortet nicht, wie er soll. Versuchen Sie es in einer Minute noch einmal; wenn es so bleibt, sagen Sie es denen, die diesen Server betreiben.",
  "This page is here because you pressed “Sign in” on {app}. Go on, and that app can seal and open documents as {name} until you sign out.":
    "Diese Seite ist da, weil Sie bei {app} auf „Anmelden“ gedrückt haben. Wenn Sie weitergehen, kann diese App als {name} Dokumente versiegeln und öffnen, bis Sie sich abmelden.",
  "You did not press it? Then cancel, and the app gets nothing.":
    "Sie haben nicht darauf gedrückt? Dann brechen Sie ab, und die App bekommt nichts.",
  "That was too quick to count. Read the page, then press the button.":
    "Das war zu schnell, um zu zählen. Lesen Sie die Seite, und drücken Sie dann auf die Schaltfläche.",
  "This page was open for too long, or you signed in elsewhere meanwhile. Answer once more.":
    "Diese Seite war zu lange offen, oder Sie haben sich inzwischen anderswo angemeldet. Antworten Sie noch einmal.",
  "You signed in very often in the last minute. Wait a second, then press the button.":
    "Sie haben sich in der letzten Minute sehr oft angemeldet. Warten Sie eine Sekunde, und drücken Sie dann auf die Schaltfläche.",
  "You signed in very often in the last minute. Wait {seconds} seconds, then press the button.":
    "Sie haben sich in der letzten Minute sehr oft angemeldet. Warten Sie {seconds} Sekunden, und drücken Sie dann auf die Schaltfläche.",
  "One moment, so that you can read this first.": "Einen Moment, damit Sie das zuerst lesen können.",
  "The button needs JavaScript. Allow it for this address and reload.":
    "Die Schaltfläche braucht JavaScript. Erlauben Sie es für diese Adresse, und laden Sie die Seite neu.",
  "Coffer vault": "Coffer-Tresor",
  "Signed out": "Abgemeldet",
  "You are signed out": "Sie sind abgemeldet",
  "Nobody is signed in at this vault in this browser, and it keeps no keys here. Open an app to sign in.":
    "An diesem Tresor ist in diesem Browser niemand angemeldet, und er bewahrt hier keine Schlüssel auf. Öffnen Sie eine App, um sich anzumelden.",
  "Your vault": "Ihr Tresor",
  "Your vault in this browser": "Ihr Tresor in diesem Browser",
  "Signed in as {name}. Signing out deletes keys here and withdraws their certificates; your documents stay sealed, and open again when you sign in.":
    "Angemeldet als {name}. Eine Abmeldung löscht hier Schlüssel und widerruft ihre Zertifikate; Ihre Dokumente bleiben versiegelt und öffnen sich wieder, wenn Sie sich anmelden.",
  "Apps that you are signed in to": "Apps, bei denen Sie angemeldet sind",
  "None.": "Keine.",
  "Sign out{unseen}": "Abmelden{unseen}",
  " of {host}": " von {host}",
  "Sign out everywhere": "Überall abmelden",
} as const;

export type Words = keyof typeof GERMAN;
export type Language = "en" | "de";
/** Says a sentence; `values` are HTML. */
export type Say = (words: Words, values?: Readonly<Record<string, string>>) => string;

/** Characters of the header that are looked at. */
const LOOKED_AT = 256;

/** Of a request: the one that is preferred most, the first of those that are preferred alike; English to everybody else. */
export function languageOf(acceptLanguage: string | undefined): Language {
  const ranges = (acceptLanguage ?? "")
    .slice(0, LOOKED_AT)
    .split(",")
    .map((range) => {
      const [tag = "", ...parameters] = range.split(";").map((part) => part.trim().toLowerCase());
      const weight = parameters.find((parameter) => parameter.startsWith("q="));
      const quality = weight === undefined ? 1 : Number(weight.slice(2));
      return { base: tag.split("-", 1)[0], quality: quality <= 1 ? quality : 0 };
    })
    .filter(({ base, quality }) => (base === "en" || base === "de") && quality > 0)
    .toSorted((a, b) => b.quality - a.quality);
  return ranges[0]?.base === "de" ? "de" : "en";
}

export function sayIn(language: Language): Say {
  return (words, values = {}) =>
    (language === "de" ? GERMAN[words] : words).replaceAll(
      /\{(\w+)\}/g,
      (whole, name: string) => values[name] ?? whole,
    );
}
