import { encodeHex } from "#protocol/bytes.ts";
import { KmipError } from "#protocol/kmip/index.ts";
import type { Handler } from "./handler.ts";

/** Poll (KMIP 2.1 §6.1.38): only whether there is something to wait for; the engine answers in the place of this one. */
export const poll: Handler<"Poll"> = ({ asynchronousCorrelationValue }, { pending, subject }) => {
  if (!pending.has(asynchronousCorrelationValue, subject.identity))
    throw new KmipError("InvalidAsynchronousCorrelationValue", "Nothing is waiting under that value");
  return {};
};

/** Process (KMIP 2.1 §6.1.40): does now what is pending; Poll has its answer. */
export const process: Handler<"Process"> = async ({ asynchronousCorrelationValue }, { pending, subject }) => {
  await pending.process(asynchronousCorrelationValue, subject.identity);
  return { asynchronousCorrelationValue };
};

/** Cancel (KMIP 2.1 §6.1.5). */
export const cancel: Handler<"Cancel"> = ({ asynchronousCorrelationValue }, { pending, subject }) => ({
  asynchronousCorrelationValue,
  cancellationResult: pending.cancel(asynchronousCorrelationValue, subject.identity),
});

/** Query Asynchronous Requests (KMIP 2.1 §6.1.41): the client's own, all or those that are named. */
export const queryAsynchronousRequests: Handler<"QueryAsynchronousRequests"> = (
  { asynchronousCorrelationValues, operations },
  { pending, subject },
) => {
  const values = asynchronousCorrelationValues?.asynchronousCorrelationValue.map(encodeHex);
  const asked = pending
    .of(subject.identity)
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
