/**
 * Other people's KMIP clients and servers against ours, and ours against theirs: PyKMIP, libmongocrypt.
 * May import: everything. May be imported by: bench (PyKMIP's server).
 */
export { type PyKmipServer, startPyKmipServer } from "./pykmip/server.ts";
