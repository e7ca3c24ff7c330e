import { type Case, probe } from "./probe.ts";

/** For workerd: takes cases, gives what became of them. */
export default {
  async fetch(request: Request): Promise<Response> {
    return Response.json(await probe((await request.json()) as Case[]));
  },
};
