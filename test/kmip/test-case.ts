import { globSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { type ProtocolVersion, parseXmlElements, type XmlElement } from "#protocol/kmip/index.ts";

/** A request and the response that the case expects; a case may end with a request alone. */
export interface Step {
  request: XmlElement;
  response: XmlElement | undefined;
  /** Asked again and again until the answer is the expected one (TC-92). */
  repeated: boolean;
}

export interface TestCase {
  file: string;
  version: ProtocolVersion;
  steps: Step[];
}

/** The outermost element; the oldest cases have another. */
const ROOTS: ReadonlySet<string> = new Set(["KMIP", "KmipTestCase"]);

/** The test cases in a folder and those below it, or the one file, by name. */
export function findCases(path: string): string[] {
  if (statSync(path).isFile()) return [path];
  return globSync("**/*.xml", { cwd: path })
    .sort((a, b) => a.localeCompare(b, "en", { numeric: true }))
    .map((file) => join(path, file));
}

/**
 * Reads a test case: a `KMIP` element with requests and responses in turn, or these alone. Text between elements (some
 * files number their steps so) has no meaning, but for `[REPEAT]`; nor has a message with `#` before each of its lines.
 * Throws `KmipDecodeError` for what is no XML, `Error` for what is no test case.
 */
export function readCase(file: string): TestCase {
  const text = withoutRemarkedMessages(readFileSync(file, "utf8"));
  const roots = parseXmlElements(text, { ignoreText: true });
  const repeated = repeatedIn(text);
  roots.forEach(unfold);
  const messages = roots.flatMap((root) => (ROOTS.has(root.name) ? root.children : [root]));
  const steps: Step[] = [];
  for (const message of messages) {
    const last = steps.at(-1);
    if (message.name === "RequestMessage")
      steps.push({ request: message, response: undefined, repeated: repeated.has(steps.length) });
    else if (message.name !== "ResponseMessage") throw new Error(`${message.name} is no message`);
    else if (!last || last.response) throw new Error("a response without a request");
    else last.response = message;
  }
  if (steps.length === 0) throw new Error("no messages");
  return { file, version: versionOf(steps[0]!.request), steps };
}

/** TC-STREAM-SIGN-1 of 2.0 has two such. A line of `# TIME 1 <RequestMessage>` begins a message that counts. */
function withoutRemarkedMessages(text: string): string {
  return text.replace(/^[ \t]*#[ \t]*<(Re\w+Message)>[^\n]*(?:\n[ \t]*#[^\n]*)*?<\/\1>/gm, "");
}

/** The steps before which the text says so, by index; or the ones after those (TC-92-11 has the mark a step early). */
function repeatedIn(text: string): ReadonlySet<number> {
  const marks = [...text.matchAll(/\[REPEAT\]/g)];
  return new Set(
    marks.flatMap(({ index }) => {
      const step = text.slice(0, index).split("<RequestMessage").length - 1;
      return [step, step + 1];
    }),
  );
}

/** Some publications have broken names of attributes over lines: `Cryptographic   Length`. */
function unfold(element: XmlElement): void {
  const value = element.attributes.get("value");
  if (element.name === "AttributeName" && value) element.attributes.set("value", value.replace(/\s+/g, " "));
  for (const child of element.children) unfold(child);
}

function versionOf(request: XmlElement): ProtocolVersion {
  const version = ["RequestHeader", "ProtocolVersion"].reduce<XmlElement | undefined>(
    (element, name) => element?.children.find((child) => child.name === name),
    request,
  );
  const [major, minor] = ["Major", "Minor"].map((part) =>
    Number(version?.children.find(({ name }) => name === `ProtocolVersion${part}`)?.attributes.get("value")),
  );
  return { major: major!, minor: minor! };
}
