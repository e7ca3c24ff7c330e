import { encodeHex } from "#protocol/bytes.ts";
import { KmipError } from "#protocol/kmip/index.ts";
import type { Handler } from "./handler.ts";
import type { Operation } from "./operation.ts";

/** Poll (KMIP 2.1 §6.1.38): only whether there is something to wait for; the engine answers in its place. */
const poll: Handler<"Poll"> = ({ asynchronousCorrelationValue }, { pending, holder }) => {
  if (!pending.has(asynchronousCorrelationValue, holder))
    throw new KmipError("InvalidAsynchronousCorrelationValue", "Nothing is waiting under that value");
  return {};
};

/** Process (KMIP 2.1 §6.1.39): does now what is pending; Poll has its answer. */
const process: Handler<"Process"> = async ({ asynchronousCorrelationValue }, { pending, holder }) => {
  await pending.process(asynchronousCorrelationValue, holder);
  return { asynchronousCorrelationValue };
};

/** Cancel (KMIP 2.1 §6.1.5). */
const cancel: Handler<"Cancel"> = ({ asynchronousCorrelationValue }, { pending, holder }) => ({
  asynchronousCorrelationValue,
  cancellationResult: pending.cancel(asynchronousCorrelationValue, holder),
});

/** Query Asynchronous Requests (KMIP 2.1 §6.1.41): the session's own, all or those that are named. */
const queryAsynchronousRequests: Handler<"QueryAsynchronousRequests"> = (
  { asynchronousCorrelationValues, operations },
  { pending, holder },
) => {
  const values = asynchronousCorrelationValues?.asynchronousCorrelationValue.map(encodeHex);
  const asked = pending
    .of(holder)
    .filter(({ correlation }) => !values || values.includes(encodeHex(correlation)))
    .filter(({ operation }) => !operations || operations.operation.includes(operation));
  return {
    asynchronousRequest: asked.map(({ correlation, operation, since, answer, done }) => ({
      asynchronousCorrelationValue: correlation,
      operation,
      submissionDate: BigInt(since) * 1000n,
      processingStage: done ? "Completed" : answer ? "InProcess" : "Submitted",
    })),
  };
};

export const Poll: Operation<"Poll"> = {
  handler: poll,
  needsValue: false,
  unattested: false,
  deferrable: false,
  undoable: false,
  roles: [],
  ticket: "session",
  policyName: undefined,
  shared: false,
};

export const Process: Operation<"Process"> = {
  handler: process,
  needsValue: false,
  unattested: false,
  deferrable: false,
  undoable: false,
  roles: [],
  ticket: "session",
  policyName: undefined,
  shared: false,
};

export const QueryAsynchronousRequests: Operation<"QueryAsynchronousRequests"> = {
  handler: queryAsynchronousRequests,
  needsValue: false,
  unattested: false,
  deferrable: false,
  undoable: true,
  roles: [],
  ticket: "session",
  policyName: undefined,
  shared: false,
};

export const Cancel: Operation<"Cancel"> = {
  handler: cancel,
  needsValue: false,
  unattested: false,
  deferrable: false,
  undoable: false,
  roles: [],
  ticket: "session",
  policyName: undefined,
  shared: false,
};
