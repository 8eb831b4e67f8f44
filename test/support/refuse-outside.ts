import childProcess from "node:child_process";
import { syncBuiltinESMExports } from "node:module";
import { Socket } from "node:net";
import workerThreads from "node:worker_threads";

/**
 * Set-up of each unit test file: what starts a process (but for one that it waits for, such as mkfifo) or a thread, or
 * opens a connection, throws. `unitTests` chooses the files by their imports, and does not follow those of the product.
 */
function refuse(what: string) {
  return () => {
    throw new Error(`a unit test must not ${what}; a test that imports queue.ts or hosts.ts may`);
  };
}

const start = refuse("start a process");
Object.assign(childProcess, { spawn: start, fork: start, exec: start, execFile: start });
Object.assign(workerThreads, {
  Worker: class {
    constructor() {
      refuse("start a thread")();
    }
  },
});
Socket.prototype.connect = refuse("open a connection");
syncBuiltinESMExports();
delete process.env.MTJOBS_REDIS_URL;
