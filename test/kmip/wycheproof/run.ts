/**
 * `npm run kmip:wycheproof -- DIR`: puts the Wycheproof vectors in DIR and below (or one file) to a KMIP server, by
 * default an emulator of its own. Prints each file with how many vectors passed, failed and are not offered by the server, each
 * failure, why vectors are not offered (another server may say that it does not support them), what was made of acceptable ones, and at
 * the end `N passed, N failed, N skipped (not offered)`. The exit code is 1 if a vector failed.
 *
 *   --pieces   data go to the server in pieces, where the operation takes them so
 *   --host H --port P --ca FILE --cert FILE --key FILE  another server, and the client's certificate for it (PEM)
 *   --passphrase-file FILE  passphrase of an encrypted --key; or in COFFER_KEY_PASSPHRASE
 *   --json     one JSON array of {file, passed, failed, skipped, reasons, failures, acceptable} and nothing else
 */

import { parseArgs } from "node:util";
import { reportUncaught } from "#cli/report.ts";
import { createKmipClient } from "#protocol/kmip/index.ts";
import { connectTo } from "../connection.ts";
import { ENDPOINT_OPTIONS, endpointOf } from "../endpoint-options.ts";
import { OwnServers } from "../own-server.ts";
import { type FileResult, findFiles, KmipSession, runFile } from "./index.ts";

reportUncaught();
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    ...ENDPOINT_OPTIONS,
    json: { type: "boolean" },
    pieces: { type: "boolean" },
  },
});
const [path] = positionals;
if (path === undefined || positionals.length > 1) usage("give one folder or file of test vectors");
const files = findFiles(path);
if (files.length === 0) usage(`there is no test vector in ${path}`);

const foreign = endpointOf(values, usage);
const own = new OwnServers();
const results: FileResult[] = [];
try {
  for (const file of files) {
    const server = foreign ? undefined : await own.start("tls");
    const connection = connectTo(foreign ?? server!.endpoint, "tls", "ttlv");
    try {
      const session = new KmipSession(createKmipClient(connection), { pieces: values.pieces ?? false });
      const result = await runFile(file, session, { foreign: foreign !== undefined });
      results.push(result);
      if (!values.json) print(result);
    } finally {
      connection.close();
      await server?.close();
    }
  }
} finally {
  own.close();
}
const sum = (field: "passed" | "failed" | "skipped") => results.reduce((all, one) => all + one[field], 0);
if (values.json) console.log(JSON.stringify(results));
else console.log(`${sum("passed")} passed, ${sum("failed")} failed, ${sum("skipped")} skipped (not offered)`);
process.exitCode = sum("failed") > 0 ? 1 : 0;

function print({ file, passed, failed, skipped, reasons, failures, acceptable }: FileResult): void {
  console.log(`${file}  ${passed} passed, ${failed} failed, ${skipped} not offered`);
  for (const { tcId, result, comment, flags, reason } of failures)
    console.log(`    FAILED ${tcId} (${result}; ${flags.join(", ")}; ${comment}): ${reason}`);
  for (const reason of reasons) console.log(`    not offered: ${reason}`);
  for (const [flags, { accepted, refused }] of Object.entries(acceptable))
    console.log(`    acceptable, ${flags}: ${accepted} accepted, ${refused} refused`);
}

function usage(message: string): never {
  console.error(message);
  process.exit(2);
}
