import { type Attributes, KmipError } from "#protocol/kmip/index.ts";
import { isDestroyed } from "../managed-object.ts";
import { canSee } from "../policy/access.ts";
import type { Context } from "./handler.ts";

/** Fields of payloads that may name templates (KMIP 1.4 §2.1.8). */
const FIELDS = ["attributes", "commonAttributes", "privateKeyAttributes", "publicKeyAttributes"] as const;

/**
 * Puts the attributes of templates that a request of 1.x names in their place; what the request says itself counts
 * more. This comes before all checks of attributes, so that a template brings in nothing that the client may not.
 */
export function withTemplates<Payload>(payload: Payload, context: Context): Payload {
  let filled = payload;
  for (const field of FIELDS) {
    const attributes = (payload as Partial<Record<string, Attributes>>)[field];
    if (!attributes?.templateNames?.length) continue;
    const { templateNames, ...own } = attributes;
    const from = templateNames.map(({ nameValue }) => templateOf(nameValue, context));
    filled = { ...filled, [field]: Object.assign({}, ...from, own) };
  }
  return filled;
}

function templateOf(name: string, { work, subject }: Context): Attributes {
  for (const uid of work.find([["name", name]])) {
    const object = work.get(uid)!;
    const { template } = object.value ?? {};
    if (template && canSee(subject, object) && !isDestroyed(object)) {
      const { name: _own, ...attributes } = template.attributes ?? {};
      return attributes;
    }
  }
  throw new KmipError("ItemNotFound", "No template of that name");
}
