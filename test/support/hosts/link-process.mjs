// Forwards its own port to the port in its first argument, listening at the address in its second; `cut` and `restore`
// come by IPC. It is a process, because a test that is busy for a second would cause an outage.
import { connect, createServer } from "node:net";

const pairs = new Set();
let isCut = false;

const server = createServer((near) => {
  // A host that is cut off gets no reply, not even a refusal.
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
