/** Many requests at the same moment. */

import { once } from "node:events";
import { Worker } from "node:worker_threads";

/** Posts JSON, all at once; answers the status of each, 0 where there was no answer. From a thread of its own: the HSM of a test runs in this one. */
export async function postAtOnce(
  requests: { url: string; body: string }[],
  headers: Record<string, string>,
): Promise<number[]> {
  const script = `
    const { parentPort, workerData: { requests, headers } } = require("node:worker_threads");
    const { Agent, request } = require("node:http");
    const agent = new Agent({ maxSockets: Infinity });
    const send = ({ url, body }) => new Promise((resolve) => {
      const sent = request(url, { method: "POST", headers, agent }, (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      });
      sent.on("error", () => resolve(0));
      sent.end(body);
    });
    Promise.all(requests.map(send)).then((statuses) => parentPort.postMessage(statuses));`;
  const workerData = { requests, headers: { "content-type": "application/json", ...headers } };
  const worker = new Worker(script, { eval: true, workerData });
  const [statuses] = (await once(worker, "message")) as [number[]];
  await worker.terminate();
  return statuses;
}
