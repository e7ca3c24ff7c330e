import { setTimeout } from "node:timers/promises";
import {
  decodeItem,
  type Encoding,
  encodeItem,
  enumerationOf,
  type Item,
  itemFromXml,
  tagNumber,
  type XmlElement,
} from "#protocol/kmip/index.ts";
import { compare } from "./compare.ts";
import type { Connection } from "./connection.ts";
import { type Expected, expectedOf } from "./expected.ts";
import { isNotSupported } from "./not-supported.ts";
import { Placeholders } from "./placeholders.ts";
import type { TestCase } from "./test-case.ts";
import { find, scopeOf } from "./variable-values.ts";
import { GENERATING } from "./variations.ts";

const BATCH_ITEM = tagNumber("BatchItem");
const IDENTIFIERS = new Set([
  tagNumber("UniqueIdentifier"),
  tagNumber("PrivateKeyUniqueIdentifier"),
  tagNumber("PublicKeyUniqueIdentifier"),
]);

/** The cases wait for two minutes (ms). */
const MAX_REPEAT_MS = 150_000;

export interface RunOptions {
  connection: Connection;
  encoding: Encoding;
  now: () => Date;
  /** A case that is played before, of the same series. */
  earlier?: TestCase | undefined;
  /** Told every message, as an item tree. */
  trace?: ((direction: "request" | "expected" | "response", item: Item) => void) | undefined;
}

export interface Difference {
  reason: string;
  /** The server says that it does not have what the case asks for. */
  notSupported: boolean;
}

/** Plays a case, message by message. Returns the first difference, or nothing where there is none. */
export async function runCase({ steps }: TestCase, options: RunOptions): Promise<Difference | undefined> {
  const run = new Run(options);
  for (const { request, response } of options.earlier?.steps ?? []) await run.step(request, response);
  run.nextCase();
  for (const [index, { request, response, repeated }] of steps.entries()) {
    const wrong = await (repeated ? run.repeated(request, response) : run.step(request, response));
    if (wrong) {
      const reason = `step ${index + 1} (${operationsOf(request)}): ${wrong}`;
      return { reason, notSupported: run.notSupported };
    }
  }
  return undefined;
}

class Run {
  /** Whether the last answer that was another than expected says that the server does not have what was asked for. */
  notSupported = false;
  #options: RunOptions;
  #values: Placeholders;
  /** Identifiers of the objects that the server made. */
  #generated = new Set<string>();
  /** The request items that brought in the objects, by identifier. */
  #origins = new Map<string, Item>();

  constructor(options: RunOptions) {
    this.#options = options;
    this.#values = new Placeholders(options.now);
  }

  /** Placeholders stand for something else in another case; the objects are the same. */
  nextCase(): void {
    this.#values = new Placeholders(this.#options.now);
  }

  /** Asks until the answer is as expected. */
  async repeated(request: XmlElement, response: XmlElement | undefined): Promise<string | undefined> {
    const end = Date.now() + MAX_REPEAT_MS;
    let wrong = await this.step(request, response);
    while (wrong && Date.now() < end) {
      await setTimeout(1000);
      wrong = await this.step(request, response);
    }
    return wrong;
  }

  async step(request: XmlElement, response: XmlElement | undefined): Promise<string | undefined> {
    const { connection, encoding, trace } = this.#options;
    const asked = itemFromXml(this.#values.fill(request));
    trace?.("request", asked);
    const answer = decodeItem(await connection.exchange(encodeItem(asked, encoding)), { encoding });
    trace?.("response", answer);
    this.#values.note(answer);
    if (!response) return undefined;
    const expected = expectedOf(response);
    trace?.("expected", expected.item);
    return this.#compare(expected, asked, answer);
  }

  #compare(expected: Expected, request: Item, answer: Item): string | undefined {
    const wanted = expected.children.filter(({ item }) => item.tag === BATCH_ITEM);
    const requests = itemsOf(request);
    const answers = itemsOf(answer);
    const header = { ...expected, children: expected.children.filter((child) => !wanted.includes(child)) };
    const given = {
      ...answer,
      value: (answer.value as Item[]).filter(({ tag }) => tag !== BATCH_ITEM),
    } as Item;
    const plain = scopeOf({ operation: "", request: undefined, origin: undefined, generated: false });
    const inItems = () => {
      for (const [index, one] of wanted.entries()) {
        const actual = answers[index];
        if (!actual) return `BatchItem ${index + 1} is missing`;
        const operation = operationOf(one.item);
        const facts = {
          operation,
          request: requests[index],
          origin: this.#origins.get(identifierIn(actual)),
          generated: this.#isGenerated(operation, actual),
        };
        const wrong = compare(one, actual, this.#values, scopeOf(facts));
        if (wrong) {
          this.notSupported = saysNotSupported(actual);
          return `${wanted.length > 1 ? `item ${index + 1}: ` : ""}${wrong}${saidWith(actual)}`;
        }
        this.#note(operation, requests[index], actual);
      }
      return undefined;
    };
    const extra =
      answers.length > wanted.length ? `BatchItem ${wanted.length + 1} was not expected` : undefined;
    return inItems() ?? extra ?? compare(header, given, this.#values, plain);
  }

  #isGenerated(operation: string, answer: Item): boolean {
    if (GENERATING.has(operation)) return true;
    return this.#generated.has(identifierIn(answer));
  }

  #note(operation: string, request: Item | undefined, answer: Item): void {
    if (request && !this.#origins.has(identifierIn(answer))) this.#origins.set(identifierIn(answer), request);
    // What was there before the case is the server's own (TC-151).
    const found = operation === "Locate" && this.#origins.get(identifierIn(answer)) === request;
    const derived = operation === "DeriveKey" || operation === "JoinSplitKey";
    const fromGenerated =
      derived && request !== undefined && textsIn(request).some((id) => this.#generated.has(id));
    if (!GENERATING.has(operation) && !fromGenerated && !found) return;
    for (const identifier of textsIn(answer)) this.#generated.add(identifier);
  }
}

/** All identifiers in an item. */
function textsIn(item: Item): string[] {
  if (item.type === "Structure") return item.value.flatMap(textsIn);
  return IDENTIFIERS.has(item.tag) ? [String(item.value)] : [];
}

function saysNotSupported(answer: Item): boolean {
  const reason = find(answer, tagNumber("ResultReason"))?.value as number | undefined;
  if (reason === undefined) return false;
  const said = find(answer, tagNumber("ResultMessage"))?.value;
  return isNotSupported(
    enumerationOf("ResultReason")?.byValue.get(reason)?.name ?? reason,
    String(said ?? ""),
  );
}

/** The server's own words for its failure. */
function saidWith(answer: Item): string {
  const said = find(answer, tagNumber("ResultMessage"));
  return said ? ` ("${said.value}")` : "";
}

function identifierIn(item: Item): string {
  return String(find(item, tagNumber("UniqueIdentifier"))?.value ?? "");
}

function itemsOf(message: Item): Item[] {
  return (message.value as Item[]).filter(({ tag }) => tag === BATCH_ITEM);
}

function operationOf(item: Item): string {
  const operation = find(item, tagNumber("Operation"));
  return enumerationOf("Operation")!.byValue.get(operation?.value as number)?.name ?? "";
}

function operationsOf({ children }: XmlElement): string {
  const operations = children
    .filter(({ name }) => name === "BatchItem")
    .map((item) => item.children.find(({ name }) => name === "Operation")?.attributes.get("value"));
  return operations.join(", ");
}
