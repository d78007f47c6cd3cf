// What the runtime does better than Wasm. What a request says and how it is answered take one crossing between JavaScript and Wasm each: a beacon
// has some forty strings, and every one that crosses alone costs about a microsecond.

/**
 * Method, address, these headers and these properties of Cloudflare's, then where the sender is in millionths of a degree and what Bot
 * Management says: a line each, empty for what is absent. No header has a line end; a property may have some, which become blanks.
 */
export function describe(request, headers, properties) {
  const cf = request.cf ?? {};
  const bot = cf.botManagement ?? {};
  let text = `${request.method}\n${request.url}`;
  for (const name of headers) text += `\n${request.headers.get(name) ?? ""}`;
  for (const name of properties) text += `\n${String(cf[name] ?? "").replace(/[\r\n]+/g, " ")}`;
  return `${text}\n${millionths(cf.latitude)}\n${millionths(cf.longitude)}\n${bot.score ?? ""}\n${bot.verifiedBot ?? ""}`;
}

function millionths(degrees) {
  return Math.round(parseFloat(degrees) * 1e6);
}

/** An answer; `headers` has a line for each name and each value, in turn. */
export function respond(status, body, headers) {
  const lines = headers.split("\n");
  const named = {};
  for (let at = 0; at + 1 < lines.length; at += 2) named[lines[at]] = lines[at + 1];
  return new Response(body, { status, headers: named });
}

/** Bytes as gzip. */
export function gzip(bytes) {
  return new Response(new Response(bytes).body.pipeThrough(new CompressionStream("gzip"))).arrayBuffer();
}

/** Sends a request within a time: its answer, which a redirect is too, and the body of that, unless it is longer than so many bytes. */
export async function send(method, url, headers, body, maxMs, maxBytes) {
  const answer = await fetch(url, { method, headers, body, redirect: "manual", signal: AbortSignal.timeout(maxMs) });
  return [answer, await read(answer.body, maxBytes)];
}

/** What a stream holds; nothing if that is more than so many bytes. The rest is not read then. */
export async function read(stream, maxBytes) {
  const chunks = [];
  let length = 0;
  for await (const chunk of stream ?? []) {
    length += chunk.length;
    if (length > maxBytes) return undefined;
    chunks.push(chunk);
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}
