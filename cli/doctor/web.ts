/** What a browser meets of a deployment, asked as a browser asks: its names, its clock, its policies, its cookies. */

import { CLOCK_TOLERANCE } from "#protocol/clock.ts";
import { askAsBrowser, type Served, signInPath } from "../browser-request.ts";
import { isLoopback } from "../loopback-fetch.ts";
import { framersOf, isOriginFor, parsePolicy, policyDifferences, VAULT_POLICY } from "../vault-rules.ts";
import { type Check, type Finding, right, unseen, wrong } from "./finding.ts";

export type Sites = { app: string; vault: string };

/** Seconds from which a clock is called wrong: long before tokens and proofs are refused for it. */
const OFF = 55;

/** All of it. A site that does not answer ends what is asked of it. */
export async function webFindings({ app, vault }: Sites, now: number): Promise<Finding[]> {
  const found = originFindings({ app, vault });
  const page = await asked(`${app}/`, "document", "names", found);
  const frame = await asked(`${vault}/`, "frame", "names", found);
  if (page) {
    const metadata = await asked(`${app}/.well-known/oauth-protected-resource`, "fetch", "names", found);
    const named = metadata && listed(metadata, "authorization_servers");
    if (metadata && !named?.includes(vault))
      found.push(
        wrong(
          "names",
          `${app} names ${named?.join(", ") || "no vault"} as its vault, not ${vault}`,
          "Put this vault and this app into one entry of COFFER_TENANTS, and see that the Host header comes through.",
        ),
      );
    found.push(clockFinding(page, now), ...appPolicyFindings(page, vault));
  }
  if (frame) {
    const configuration = await asked(`${vault}/configuration.json`, "fetch", "names", found);
    if (configuration && !listed(configuration, "appOrigins").includes(app))
      found.push(
        wrong(
          "names",
          `${vault} does not serve ${app}`,
          "Add the app to `apps` of its entry in COFFER_TENANTS.",
        ),
      );
    found.push(...vaultPolicyFindings(frame, app), ...(await cookieFindings({ app, vault })));
  }
  if (!found.some(({ check, right }) => check === "names" && right === false))
    found.unshift(right("names", `${app} and ${vault} name each other`));
  return found;
}

function originFindings({ app, vault }: Sites): Finding[] {
  const found: Finding[] = [];
  if (app === vault)
    found.push(
      wrong(
        "names",
        "App and vault are one origin",
        "Give the vault a host of its own: an app's script must not reach into it.",
      ),
    );
  for (const origin of new Set([app, vault])) {
    if (new URL(origin).protocol !== "https:" && !isLoopback(new URL(origin)))
      found.push(
        wrong(
          "names",
          `${origin} is not HTTPS`,
          "Serve it over TLS: browsers give no keys to a page without.",
        ),
      );
  }
  return found;
}

async function asked(
  address: string,
  purpose: Parameters<typeof askAsBrowser>[1],
  check: Check,
  found: Finding[],
): Promise<Served | undefined> {
  const answer = await askAsBrowser(address, purpose).catch(() => undefined);
  if (answer?.status === 200) return answer;
  const says = answer ? `${address} answers ${answer.status}` : `${address} does not answer`;
  const todo = answer
    ? "See that what is before the edge passes this path and the Host header on, and that COFFER_TENANTS has this host."
    : "See that the edge runs, that the name leads to it, and that its certificate is valid.";
  found.push(wrong(check, says, todo));
  return undefined;
}

function listed({ bytes }: Served, name: string): string[] {
  try {
    const value = (JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>)[name];
    return Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
  } catch {
    return [];
  }
}

export function clockFinding({ headers }: Pick<Served, "headers">, now: number): Finding {
  const server = Date.parse(headers.get("date") ?? "");
  if (Number.isNaN(server))
    return wrong("clock", "The edge sends no Date", "Have what is before it pass the header on.");
  return clocksFinding("the edge", server, now);
}

/** Of two moments, milliseconds since 1970: that of somebody's answer, and ours. */
export function clocksFinding(whose: string, theirs: number, ours: number): Finding {
  const off = Math.round((ours - theirs) / 1000);
  if (Math.abs(off) < OFF) return right("clock", `this clock and that of ${whose} agree`);
  const way = off > 0 ? "ahead of" : "behind";
  return wrong(
    "clock",
    `This clock is ${Math.abs(off)} s ${way} that of ${whose}`,
    `Set this computer's clock by NTP, and theirs where it is that one: from ${CLOCK_TOLERANCE} s on tokens, proofs and certificates are refused.`,
  );
}

export function appPolicyFindings({ headers }: Pick<Served, "headers">, vault: string): Finding[] {
  const policy = parsePolicy(headers.get("content-security-policy") ?? "");
  const sources = (name: string) => (policy?.get(name) ?? policy?.get("default-src") ?? "*").split(" ");
  const wrongs: string[] = [];
  if (policy === null) wrongs.push("there is more than one");
  const scripts = sources("script-src");
  for (const loose of ["*", "'unsafe-inline'", "'unsafe-eval'", "https:", "data:"])
    if (scripts.includes(loose)) wrongs.push(`script-src has ${loose}`);
  if (!sources("frame-src").includes(vault)) wrongs.push(`frame-src lacks ${vault}`);
  const connect = sources("connect-src");
  if (!connect.includes(vault) && !connect.includes(`${vault}/sign-out`))
    wrongs.push(`connect-src lacks ${vault}/sign-out`);
  if (wrongs.length === 0)
    return [right("csp", "the app's page lets no foreign script run, and may frame the vault")];
  const todo = "Serve the policy that docs/apps.md gives.";
  return wrongs.map((says) => wrong("csp", `The content security policy of the app's page: ${says}`, todo));
}

function vaultPolicyFindings({ headers }: Served, app: string): Finding[] {
  const text = headers.get("content-security-policy");
  const framers = framersOf(headers);
  const expected = { ...VAULT_POLICY, "frame-ancestors": framers.join(" ") };
  const wrongs = policyDifferences(text, expected);
  if (!framers.includes(app)) wrongs.push(`frame-ancestors lacks ${app}`);
  const many = framers.filter((one) => !isOriginFor(app, one));
  if (many.length > 0) wrongs.push(`frame-ancestors has ${many.join(", ")}, which is not one origin`);
  if (wrongs.length === 0)
    return [right("csp", "the vault's policy is as it was built, and its apps alone may frame it")];
  const todo = "Have nothing between edge and browser change this header, and serve the release's own pages.";
  return wrongs.map((says) => wrong("csp", `The vault's content security policy: ${says}`, todo));
}

/** By the beginning of a sign-in, which nobody ends. */
async function cookieFindings({ app, vault }: Sites): Promise<Finding[]> {
  const answer = await askAsBrowser(vault + signInPath(app), "document").catch(() => undefined);
  return cookiesOf(answer?.headers.getSetCookie() ?? [], new URL(vault).protocol === "https:");
}

/** Of what a sign-in that was ended has set: the session's cookie is the last of it. */
export function sessionFindings(lines: readonly string[], { vault }: Sites): Finding[] {
  // Beside it stand one that is taken back, and that of a sign-in which goes on.
  const set = lines.filter(
    (line) => !/^[^=;]*=(;|$)/.test(line) && !/; *max-age=0/i.test(line) && !/^[^=;]*-sign-in=/.test(line),
  );
  const last = set.slice(-1);
  const secure = new URL(vault).protocol === "https:";
  const found = cookiesOf(last, secure, "the session's cookie is the vault's host's alone, and no script's");
  if (last.length > 0 && !/; *samesite=strict *(;|$)/i.test(last[0] ?? ""))
    return [
      ...found.filter(({ right }) => right === false),
      wrong("cookies", "The session's cookie is not SameSite=Strict", MEND_COOKIES),
    ];
  return found;
}

/** A session is a person's: where nobody signs in by a name, nobody here has one. */
export function sessionUnseen(): Finding {
  return unseen(
    "cookies",
    "the session's cookie was not looked at",
    "Sign in at the app and see in the browser's tools that the vault's cookie __Host-… is Secure, HttpOnly and SameSite=Strict.",
  );
}

const MEND_COOKIES =
  "Have nothing between edge and browser change cookies, and set COFFER_ENVIRONMENT to production.";

/** Of `Set-Cookie` lines, at a vault over HTTPS or not. `good`: what is said where nothing is wrong. */
export function cookiesOf(
  lines: readonly string[],
  secure: boolean,
  good = "the vault's cookies are its host's alone, and no script's",
): Finding[] {
  if (lines.length === 0)
    return [
      wrong(
        "cookies",
        "A sign-in at the vault sets no cookie",
        "See that the tenant has a provider (`oidc`), and that what is before the edge passes Set-Cookie on.",
      ),
    ];
  const wrongs = lines.flatMap((line) => {
    const [pair = "", ...attributes] = line.split(";").map((part) => part.trim());
    const name = pair.slice(0, pair.indexOf("="));
    const has = (wanted: RegExp) => attributes.some((attribute) => wanted.test(attribute));
    return [
      ...(secure && !name.startsWith("__Host-") ? [`${name} lacks the prefix __Host-`] : []),
      ...(secure && !has(/^secure$/i) ? [`${name} is not Secure`] : []),
      ...(has(/^httponly$/i) ? [] : [`${name} is not HttpOnly`]),
      ...(has(/^samesite=(strict|lax)$/i) ? [] : [`${name} has no SameSite`]),
      ...(has(/^domain=/i) ? [`${name} is for a whole domain`] : []),
      ...(has(/^path=\/$/i) ? [] : [`${name} is not for the path /`]),
    ];
  });
  if (wrongs.length === 0) return [right("cookies", good)];
  return wrongs.map((says) => wrong("cookies", says, MEND_COOKIES));
}
