/** What a page of a vault has a browser load or run. Beside its policy, which forbids everything else: this names what is there. */

/** Tags of these pages that neither load nor run anything, and attributes likewise. What is neither is told of. */
const TAGS = new Set(
  "html head meta title body main p h1 h2 form input button a ul li span strong bdi code noscript svg rect path circle".split(
    " ",
  ),
);
const ATTRIBUTES = new Set(
  "lang charset name content class id role method action type value disabled viewbox focusable x y width height rx d cx cy r".split(
    " ",
  ),
);
const OF_SCRIPTS = new Set(["src", "defer", "integrity", "crossorigin"]);
const STYLE = "/page.css";
/** Characters of one tag. */
const MAX_TAG = 4096;
/** Of one page: the vault's have some thirty. */
const MAX_TAGS = 1000;
const MAX_TOLD = 16;

/** By the tokenizer of HTML (WHATWG HTML §13.2.5): blanks are these five, and a quoted value ends with its quote alone. */
const TAG = /<([a-z][^\t\n\f\r />]*)/gi;
const ATTRIBUTE =
  /[\t\n\f\r /]*([^\t\n\f\r />][^\t\n\f\r />=]*)(?:[\t\n\f\r ]*=[\t\n\f\r ]*(?:"([^"]*)"|'([^']*)'|((?!["'])[^\t\n\f\r >]*)))?/y;

/**
 * Addresses of scripts and styles, and whatever else may load or run, as a word for it. `known` is what the release has. A tag in a comment, or
 * in another tag's value, counts too: so none is hidden by where it stands.
 */
export function loadedBy(html: string, known: { has(path: string): boolean }): string[] {
  const told = new Set<string>();
  let tags = 0;
  for (const { 1: name = "", index } of html.matchAll(TAG)) {
    for (const one of loadedByTag(name.toLowerCase(), html.slice(index + 1 + name.length, index + MAX_TAG)))
      if (!known.has(one)) told.add(one);
    if (++tags > MAX_TAGS) told.add("more tags than a page of a vault has");
    if (tags > MAX_TAGS || told.size >= MAX_TOLD) break;
  }
  return [...told];
}

function loadedByTag(tag: string, rest: string): string[] {
  const attributes = attributesOf(rest);
  if (attributes === null) return [`a <${tag}> that does not end`];
  const [source, href] = [attributes.get("src"), attributes.get("href")];
  if (tag === "script") return [source ?? "an inline script", ...besides(tag, attributes, OF_SCRIPTS)];
  if (tag === "link") {
    const plain =
      (attributes.get("rel") === "stylesheet" && href === STYLE) || attributes.get("rel") === "icon";
    return plain ? [] : [href ?? "a link"];
  }
  if (!TAGS.has(tag)) return [source ?? href ?? attributes.get("data") ?? `a <${tag}>`];
  return besides(tag, attributes, new Set(tag === "a" ? ["href"] : []));
}

function besides(tag: string, attributes: Map<string, string>, own: Set<string>): string[] {
  return [...attributes.keys()]
    .filter((name) => !ATTRIBUTES.has(name) && !own.has(name) && !/^(data|aria)-[\w-]+$/.test(name))
    .map((name) => `a <${tag} ${name}>`);
}

/** By lower-case name, of which the first counts. Null where the tag has no end. */
function attributesOf(rest: string): Map<string, string> | null {
  const attributes = new Map<string, string>();
  ATTRIBUTE.lastIndex = 0;
  let end = 0;
  for (let found = ATTRIBUTE.exec(rest); found !== null; found = ATTRIBUTE.exec(rest)) {
    const [, name = "", ...values] = found;
    end = ATTRIBUTE.lastIndex;
    const key = name.toLowerCase();
    if (!attributes.has(key)) attributes.set(key, values.find((value) => value !== undefined) ?? "");
  }
  return /^[\t\n\f\r /]*>/.test(rest.slice(end)) ? attributes : null;
}
