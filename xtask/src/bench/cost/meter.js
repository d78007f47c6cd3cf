// The built Worker with a meter around its Durable Objects: GET /meter says what has been counted.
// Rows written are Cloudflare's own count, `rowsWritten` of each statement's cursor, which is what is billed; setting an alarm is one row.
import worker, * as collector from "collector.js";

const meter = { rows_written: 0, segments: 0, object_requests: 0, alarms: 0 };
let isStorageMetered = false;

function meterStorage(storage) {
  if (isStorageMetered) return;
  isStorageMetered = true;
  const sql = Object.getPrototypeOf(storage.sql);
  const exec = sql.exec;
  sql.exec = function (statement, ...values) {
    const cursor = exec.call(this, statement, ...values);
    meter.rows_written += cursor.rowsWritten;
    if (statement.startsWith("CREATE TABLE segment_")) meter.segments += 1;
    return cursor;
  };
  const owner = Object.getPrototypeOf(storage);
  const setAlarm = owner.setAlarm;
  owner.setAlarm = function (...values) {
    meter.rows_written += 1;
    return setAlarm.apply(this, values);
  };
}

function metered(Inner) {
  return class extends Inner {
    constructor(state, env) {
      meterStorage(state.storage);
      super(state, env);
    }
    fetch(request) {
      meter.object_requests += 1;
      return super.fetch(request);
    }
    alarm() {
      meter.alarms += 1;
      return super.alarm();
    }
  };
}

export const Batcher = metered(collector.Batcher);
export const Registry = metered(collector.Registry);

export default class extends worker {
  fetch(request) {
    if (new URL(request.url).pathname === "/meter") return Response.json(meter);
    return super.fetch(request);
  }
}
