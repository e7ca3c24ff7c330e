/** An app that the edge serves: an OAuth client and a custodian of its own on one origin (M13). */
export type App = {
  /**
   * What the app is to stored state: documents and data keys are of the app with this id. Its origin, unless the
   * configuration names it otherwise, so that it stays the same app when it moves.
   */
  id: string;
  origin: string;
};

/** A short name, or the origin that the app had before. */
const NAME = /^[a-z][a-z0-9-]{0,62}$/;

/**
 * The apps by configuration: `ORIGIN` or `ID=ORIGIN`, comma-separated; the first is the shipped page. Throws where one
 * app could be taken for another.
 */
export function configuredApps({ COFFER_APP_ORIGINS }: { COFFER_APP_ORIGINS: string }): App[] {
  const apps = COFFER_APP_ORIGINS.split(",").map(readApp);
  for (const [index, app] of apps.entries()) {
    const taken = apps.slice(0, index).flatMap(({ id, origin }) => [id, origin]);
    if (taken.includes(app.id) || taken.includes(app.origin))
      throw new Error(`COFFER_APP_ORIGINS names ${app.id} or ${app.origin} twice`);
  }
  return apps;
}

function readApp(text: string): App {
  const at = text.indexOf("=");
  const { origin } = new URL(text.slice(at + 1).trim());
  if (at < 0) return { id: origin, origin };
  const id = text.slice(0, at).trim();
  if (!NAME.test(id) && !isOrigin(id)) throw new Error(`COFFER_APP_ORIGINS: ${id} is no name of an app`);
  return { id, origin };
}

function isOrigin(text: string): boolean {
  return URL.canParse(text) && new URL(text).origin === text;
}

/** Whether a browser holds the origin to be this machine itself (RFC 6761 §6.3). */
export function isLocalhost(origin: string): boolean {
  return /(^|\.)localhost$/.test(new URL(origin).hostname);
}
