import { KmipError, type UniqueIdentifier } from "#protocol/kmip/index.ts";
import type { Transform } from "../crypto/transform.ts";
import type { ManagedObject } from "../store/managed-object.ts";
import type { Context } from "./context.ts";

/** The fields of a request whose data may come in pieces. */
export interface Piece {
  uniqueIdentifier?: UniqueIdentifier | undefined;
  data?: Uint8Array | undefined;
  correlationValue?: Uint8Array | undefined;
  initIndicator?: boolean | undefined;
  finalIndicator?: boolean | undefined;
}

export interface Streamed<State extends Transform<unknown>> {
  state: State;
  /** What the pieces so far give; with the end of the last one. */
  data: Uint8Array<ArrayBuffer>;
  /** There where more is to come: the name of the operation for the next piece. */
  correlationValue?: Uint8Array<ArrayBuffer>;
}

/**
 * Takes one piece: begins an operation, goes on with one, or does it all at once where nothing says otherwise.
 * `key` is the key as it may be used now: it is asked for with every piece.
 */
export function takePiece<State extends Transform<unknown>>(
  operation: string,
  piece: Piece,
  context: Context,
  key: ManagedObject | undefined,
  begin: () => State,
  prepare: (state: State) => void = () => {},
): Streamed<State> {
  const { correlationValue, initIndicator = false, finalIndicator = false } = piece;
  const { streams, holder, now, random, attestation, channel, version } = context;
  if ((correlationValue || initIndicator) && version.major === 1 && version.minor < 3)
    throw new KmipError("FeatureNotSupported", "Data in pieces came with KMIP 1.3");
  const whole = correlationValue === undefined && !initIndicator;
  if (correlationValue && initIndicator)
    throw new KmipError("InvalidField", "Begun and gone on with at once");
  const stream = correlationValue && streams.take(correlationValue, holder, operation, now);
  if (stream && stream.uid !== key?.uid)
    throw new KmipError("InvalidCorrelationValue", "The operation was begun with another key");
  const state = stream ? (stream.state as State) : begin();
  prepare(state);
  const data = state.update(piece.data ?? new Uint8Array());
  if (whole || finalIndicator) return { state, data };
  const { evidence } = attestation;
  const attested = evidence ? { evidence, channel } : stream?.attested;
  const open = {
    holder,
    operation,
    state,
    ...(key ? { uid: key.uid } : {}),
    ...(attested ? { attested } : {}),
  };
  if (!correlationValue) return { state, data, correlationValue: streams.open(open, now, random) };
  streams.keep(correlationValue, open, now);
  return { state, data, correlationValue: new Uint8Array(correlationValue) };
}
