// Passes what comes to a port of its own on to the port in its first argument, at the address in its second; `cut` and `mend` come by IPC. A process,
// since a test that is busy for a second would be an outage.
import { connect, createServer } from "node:net";

const pairs = new Set();
let isCut = false;

const server = createServer((near) => {
  // A host that is cut off gets no answer, not even a refusal.
  const far = isCut ? undefined : connect(Number(process.argv[2]), "127.0.0.1");
  const pair = [near, far];
  pairs.add(pair);
  near.on("error", () => {});
  near.on("close", () => {
    pairs.delete(pair);
    far?.destroy();
  });
  far?.on("error", () => {});
  far?.on("close", () => near.destroy());
  if (far === undefined) near.pause();
  else near.pipe(far).pipe(near);
});

process.on("message", (message) => {
  isCut = message === "cut";
  for (const [near, far] of pairs) {
    if (!isCut) near.destroy();
    else for (const socket of [near, far]) socket?.unpipe().pause();
  }
  process.send("done");
});
process.on("disconnect", () => process.exit());
server.listen(0, process.argv[3], () => process.send(server.address().port));
