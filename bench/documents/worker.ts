/** The Worker of the benchmark page: measures in itself, and serves a port as the microservice does. */

import { refuseAll, servePort } from "#protocol/port/index.ts";
import { discard, memoryTurn, OPENING, opened, pattern, sealed, timed } from "./measure.ts";
import { onlyRead } from "./pipelines.ts";
import { readParts } from "./range.ts";

const scope = globalThis as unknown as {
  onmessage: ((event: MessageEvent) => void) | null;
  postMessage(message: unknown): void;
};

type Order =
  | { what: "memory"; size: number }
  | { what: "file"; file: File }
  | { what: "port" }
  | { what: "range"; size: number };

scope.onmessage = async ({ data, ports: [port] }) => {
  const order = data as Order;
  if (order.what === "port") {
    servePort(port!, {
      ...refuseAll("not-enrolled"),
      hello: async () => ({ version: 1, measurement: "none", instance: null }),
      seal: async (_, input) => sealed(input),
      open: async (_, input) => opened(input),
    });
    scope.postMessage({});
  } else if (order.what === "memory") {
    scope.postMessage(await memoryTurn(pattern(order.size)));
  } else if (order.what === "range") {
    scope.postMessage(await readParts("/sealed", order.size, OPENING));
  } else {
    const { file } = order;
    const seal = await timed(() => discard(sealed(file)));
    scope.postMessage({ seal: seal.ms, read: await onlyRead(file) });
  }
};
