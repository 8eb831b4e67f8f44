// The entry of a thread that checks one database. Started by digest-in-thread.ts, never imported.
import { serveCalls } from "../../threads/thread-rpc.ts";
import { assertSound, digestOf, integrityOf } from "./digest.ts";
import type { DigestCalls } from "./digest-in-thread.ts";

serveCalls<DigestCalls>({
  integrity: integrityOf,
  digest: (file) => {
    assertSound(file);
    // The caller terminates the thread if it must stop.
    return digestOf(file, new AbortController().signal);
  },
});
