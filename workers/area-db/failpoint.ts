/**
 * Failpoints at which a test can kill, stop or fail the process. `MTJOBS_FAILPOINT=copied:3=kill` acts when the
 * failpoint `copied` is passed for the third time; separate several by commas. Actions: `kill` (SIGKILL), `stop` (SIGSTOP),
 * `error` (throws an I/O error).
 */
export function failpointFromEnvironment(value: string | undefined): (name: string) => void {
  if (value === undefined || value === "") return () => {};
  const points = value.split(",").map(failpoint);
  return (name) => {
    for (const point of points) point(name);
  };
}

function failpoint(value: string): (name: string) => void {
  const match = /^(?<point>[\w-]+)(?::(?<count>\d+))?=(?<action>kill|stop|error)$/.exec(value);
  if (match?.groups === undefined)
    throw new TypeError(`MTJOBS_FAILPOINT: "${value}" is not failpoint[:count]=action`);
  const { point, action } = match.groups;
  let left = Number(match.groups.count ?? 1);
  return (name) => {
    if (name !== point || --left !== 0) return;
    if (action === "error") throw Object.assign(new Error(`failpoint ${name}`), { code: "EIO" });
    process.kill(process.pid, action === "kill" ? "SIGKILL" : "SIGSTOP");
    // The signal is asynchronous: do not run past the failpoint.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
  };
}
