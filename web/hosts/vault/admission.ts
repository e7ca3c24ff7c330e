/** Whom the vault serves: the one page directly around it, if its origin is on the list. */

export type Framing = {
  /** Whether the document is a frame at all. */
  framed: boolean;
  /** Origins of the frames around it, innermost first; undefined where the browser does not tell (Firefox). */
  ancestors: string[] | undefined;
  /** Whether the parent is the top of the page. */
  parentIsTop: boolean;
  /** Whether a Service Worker stands between this document and its server. */
  controlled: boolean;
  /** Origins that the server lets embed this vault. */
  allowed: readonly string[];
};

/** `origins`: those that the parent may have; one, where the browser tells it. */
export type Admission = { admitted: true; origins: readonly string[] } | { admitted: false; reason: string };

/** Decides by what the browser says, never by what the parent says. */
export function admit({ framed, ancestors, parentIsTop, controlled, allowed }: Framing): Admission {
  if (!framed) return no("not framed");
  // A Service Worker could serve other code under the same names; this origin has none.
  if (controlled) return no("controlled by a Service Worker");
  // A page framed by another page could be overlaid by it.
  if (!parentIsTop || (ancestors && ancestors.length !== 1)) return no("framed twice");
  if (!ancestors) return { admitted: true, origins: allowed };
  const [origin] = ancestors;
  return origin !== undefined && allowed.includes(origin)
    ? { admitted: true, origins: [origin] }
    : no("another origin");
}

/** Whether a message is the parent's request to connect, from an admitted origin, with exactly one port. */
export function isConnect(event: MessageEvent, parent: unknown, origins: readonly string[]): boolean {
  const data: unknown = event.data;
  return (
    event.source === parent &&
    origins.includes(event.origin) &&
    event.ports.length === 1 &&
    typeof data === "object" &&
    data !== null &&
    "type" in data &&
    data.type === "coffer-connect" &&
    "version" in data &&
    data.version === 1
  );
}

function no(reason: string): Admission {
  return { admitted: false, reason };
}
