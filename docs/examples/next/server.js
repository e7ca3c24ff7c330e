// Next behind what passes on the edge's paths with the Host header as it came, which Next's own `rewrites` change.
// `coffer start --app http://localhost:5173` beside it; `node server.js`, or after `next build --webpack`, which loads what comes later by a policy of trusted
// types, as Turbopack does not, `NODE_ENV=production node server.js`. EDGE: where the edge listens, VAULT: origin of the vault.
import { createServer, request as passOn } from "node:http";
import next from "next";

const { EDGE = "http://localhost:8787", PORT = "5173", NODE_ENV } = process.env;
const edge =
  /^\/(\.well-known|account-states|accounts|admin|audit|caas|clients|iam|kms|openapi\.json|ra|standing|token)(\/|\?|$)/;
const app = next({ dev: NODE_ENV !== "production" });
await app.prepare();
const answer = app.getRequestHandler();

createServer((request, response) => {
  const { method, url, headers } = request;
  if (!edge.test(url)) return answer(request, response);
  const onward = passOn(EDGE + url, { method, headers }, (answered) => {
    response.writeHead(answered.statusCode, answered.rawHeaders);
    answered.pipe(response);
  });
  onward.on("error", () => response.destroy());
  request.pipe(onward);
}).listen(Number(PORT));
