import { type Attributes, KmipError } from "#protocol/kmip/index.ts";
import { mayDo } from "../policy/access.ts";
import { isDestroyed } from "../store/managed-object.ts";
import type { Asker, Context, Store } from "./context.ts";
import { FIELDS } from "./request-attributes.ts";

/** Templates that one request may name. */
const MAX_TEMPLATES = 16;

/**
 * Puts the attributes of templates that a request of 1.x names in their place; what the request says itself counts
 * more, but custom attributes add up (TC-312-12). This comes before all checks of attributes, so that a template brings in nothing that the client may not.
 */
export function withTemplates<Payload>(payload: Payload, context: Context): Payload {
  let filled = payload;
  for (const field of FIELDS) {
    const attributes = (payload as Partial<Record<string, Attributes>>)[field];
    if (!attributes?.templateNames?.length) continue;
    const { templateNames, ...own } = attributes;
    if (templateNames.length > MAX_TEMPLATES) throw new KmipError("InvalidField", "Too many templates");
    const from = templateNames.map(({ nameValue }) => templateOf(nameValue, context));
    const vendorAttributes = [...from, own].flatMap((one) => one.vendorAttributes ?? []);
    const many = vendorAttributes.length > 0 ? { vendorAttributes } : {};
    filled = { ...filled, [field]: Object.assign({}, ...from, own, many) };
  }
  return filled;
}

/** A template of the client's own, or the only one of others that it may read. */
function templateOf(name: string, { work, subject }: Asker & Store): Attributes {
  const found = work
    .all([["name", name]])
    .filter((object) => object.value?.template && mayDo(subject, object, "Get") && !isDestroyed(object));
  const own = found.find(({ owner }) => owner === subject.identity);
  if (!own && found.length > 1) throw new KmipError("InvalidField", "Several templates have that name");
  const { template } = (own ?? found[0])?.value ?? {};
  if (!template) throw new KmipError("ItemNotFound", "No template of that name");
  const { name: _own, attributeIndex: _, ...attributes } = template.attributes ?? {};
  return attributes;
}
