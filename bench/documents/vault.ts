/** The document in the frame of the benchmark page, on another site than that: its Worker gets the port of the page, and it stays out of the way, as the vault's does. */

let worker: Worker | undefined;

addEventListener("message", ({ data, ports: [port] }) => {
  worker?.terminate();
  worker = undefined;
  if (!port) return;
  worker = new Worker("/worker.js", { type: "module" });
  worker.onmessage = () => parent.postMessage("connected", "*");
  worker.postMessage(data, [port]);
});
parent.postMessage("loaded", "*");
