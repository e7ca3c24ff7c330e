/** An app that the edge serves: an OAuth client and a custodian of its own on one origin (M13). */
export type App = {
  /**
   * What the app is to its tenant's stored state: documents and data keys are of the app with this id. Its origin, unless
   * the configuration names it otherwise, so that it stays the same app when it moves.
   */
  id: string;
  origin: string;
};

/** A short name, or the origin that the app had before. */
const NAME = /^[a-z][a-z0-9-]{0,62}$/;

/**
 * A tenant's apps by configuration: `ORIGIN` or `ID=ORIGIN` each; the first is the shipped page. Throws where one app could
 * be taken for another.
 */
export function readApps(entries: readonly string[]): App[] {
  const apps = entries.map(readApp);
  const taken = new Set<string>();
  for (const { id, origin } of apps) {
    if (taken.has(id) || taken.has(origin)) throw new Error(`names ${id} or ${origin} twice`);
    taken.add(id).add(origin);
  }
  return apps;
}

function readApp(text: string): App {
  const at = text.indexOf("=");
  const origin = text.slice(at + 1);
  if (!isOrigin(origin)) throw new Error(`${origin} is no origin`);
  if (at < 0) return { id: origin, origin };
  const id = text.slice(0, at);
  if (!NAME.test(id) && !isOrigin(id)) throw new Error(`${id} is no name of an app`);
  return { id, origin };
}

/** Whether a text is an origin as browsers write it: lower case, an international name in ASCII, no usual port, nothing after. */
export function isOrigin(text: string): boolean {
  // What a URL is made of is looked at only for a text that could be one; a host with a dot at its end is another spelling.
  if (!/^https?:\/\/[a-z0-9.:[\]-]+$/.test(text)) return false;
  const url = URL.parse(text);
  return url?.origin === text && !url.hostname.endsWith(".");
}

/** Whether a browser holds the origin to be this machine itself (RFC 6761 §6.3; of addresses the usual one of RFC 1122 §3.2.1.3). */
export function isLocalhost(origin: string): boolean {
  return /(^|\.)localhost$|^127\.0\.0\.1$/.test(new URL(origin).hostname);
}
