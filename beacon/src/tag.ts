// What the script tag says: `<script defer src="https://collector/l.js" data-site="demo"></script>`.
//
// In scope: the tag's attributes. Out of scope: what follows from them.

const tag = document.currentScript as HTMLScriptElement | null;

/** The `data-` attributes; none where there is no tag, as in a module. */
export const options: DOMStringMap = tag ? tag.dataset : {};

/** Where beacons go: beside the script, unless `data-collector` says otherwise. So a first-party path prefix needs no setting. */
export const endpoint: string = tag ? new URL("v1/events", options.collector ? options.collector + "/" : tag.src).href : "";
