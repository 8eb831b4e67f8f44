// The entry of a thread that checks one database. Started by digest-in-thread.ts, never imported.
import { toJobsError } from "../../../shared/errors.ts";
import { copyTo } from "../../../shared/sqlite/private-copy.ts";
import { retryWhileBusy } from "../../area-db/transaction.ts";
import { serveCalls } from "../../threads/thread-rpc.ts";
import { assertSound, digestOf, integrityOf } from "./digest.ts";
import type { Copying, DigestCalls } from "./digest-in-thread.ts";

// The caller terminates the thread if it must stop.
const never = new AbortController().signal;

/** Without this, a damaged file would be reported as one of the databases in use. */
function copyNamed({ file, path, expected }: Copying): void {
  try {
    copyTo(file, path, expected);
  } catch (thrown) {
    const { code, message } = toJobsError(thrown);
    if (code === "corrupt") assertSound(path, [message]);
    throw thrown;
  }
}

serveCalls<DigestCalls>({
  copy: (copying) => retryWhileBusy(never, () => copyNamed(copying)),
  integrity: integrityOf,
  digest: (file) => {
    assertSound(file);
    return digestOf(file, never);
  },
});
