/** Wrapped keys that the HSM keeps as they are (class `encrypted`): it gives them back to the KMS, and does nothing else with them. */

import { KEY, named } from "#protocol/hierarchy/index.ts";
import {
  type KeyWrappingSpecification,
  KmipError,
  type RequestItem,
  type ResponseItem,
} from "#protocol/kmip/index.ts";
import { UnexpectedAnswer } from "../client.ts";
import { wrappedObject } from "./key.ts";

/** Import with Key Wrap Type As Registered (KMIP 2.1 §11.29). `by`: how, and under which key, it is wrapped. */
export function keepWrapped(key: {
  /** A random identifier. */
  id: string;
  name: string;
  wrapped: Uint8Array<ArrayBuffer>;
  by: KeyWrappingSpecification;
}): RequestItem {
  return {
    operation: "Import",
    payload: {
      uniqueIdentifier: key.id,
      objectType: "SymmetricKey",
      keyWrapType: "AsRegistered",
      attributes: { ...KEY, name: named(key.name) },
      object: wrappedObject(key.wrapped, key.by),
    },
  };
}

/** Get of it as it was brought in, and what tells whether it has changed since. */
export function readKept(uniqueIdentifier: string): RequestItem[] {
  return [{ operation: "Get", payload: { uniqueIdentifier } }, lookAfter(uniqueIdentifier)];
}

/** KMIP 2.1 §4.57 State and §4.29 Last Change Date: what is wrapped to a recipient has other bytes each time. */
export function lookAfter(uniqueIdentifier: string): RequestItem {
  return {
    operation: "GetAttributes",
    payload: { uniqueIdentifier, attributeReference: ["state", "lastChangeDate"] },
  };
}

/** One text for state and last change; null where the HSM has no such object any more. Throws for an answer to anything else. */
export function markOf(answer: ResponseItem | undefined): string | null {
  if (isGone(answer)) return null;
  if (answer?.operation !== "GetAttributes" || answer.resultStatus !== "Success" || !answer.payload)
    throw new KmipError(answer?.resultReason ?? "GeneralFailure", undefined, "GetAttributes");
  const { state, lastChangeDate } = answer.payload.attributes;
  if (state === undefined || lastChangeDate === undefined)
    throw new UnexpectedAnswer("the HSM tells no state or change");
  return `${state} ${lastChangeDate.getTime()}`;
}

/** Whether the HSM has the object no more, or gives it out no more. */
export function isGone(answer: ResponseItem | undefined): boolean {
  const reason = answer?.resultReason;
  return (
    reason === "ObjectNotFound" ||
    reason === "ItemNotFound" ||
    reason === "ObjectDestroyed" ||
    reason === "WrongKeyLifecycleState"
  );
}
