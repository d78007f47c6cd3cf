// One string that outlives the page, where the browser and the site allow that.
//
// In scope: web storage that may be forbidden, full or missing. Out of scope: what the string means (`session`, `retry`).

import { options } from "./tag";

/** Reads the string, or writes it when given one; "" is none. */
export type Slot = (value?: string) => string;

/** A slot in this storage area. Where storage is not allowed or fails, the string lives as long as the page. */
export function openSlot(area: "localStorage" | "sessionStorage", key: string): Slot {
  let memory = "";
  let isAllowed = options.storage !== "none";
  return (value) => {
    memory = value ?? memory;
    // Reading `window.localStorage` itself throws where the visitor has forbidden it, so that is inside as well.
    try {
      if (isAllowed) {
        if (value === undefined) memory = window[area].getItem(key) || "";
        else window[area].setItem(key, value);
      }
    } catch {
      isAllowed = false;
    }
    return memory;
  };
}
