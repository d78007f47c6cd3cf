// What the shop sells, and its pictures. In scope: products and their drawings. Out of scope: pages and events (shop.js).

"use strict";

// Prices are in cents: money is never a float.
const PRODUCTS = [
  { id: 11, name: "Meridian solitaire", category: "Rings", price: 129_000, metal: "gold", stone: "diamond", text: "One old-cut stone on a band that narrows towards it. The setting is low, so it does not catch." },
  { id: 12, name: "Harbour signet", category: "Rings", price: 48_000, metal: "silver", stone: "onyx", text: "A flat black stone, cut to be engraved and just as good left alone." },
  { id: 17, name: "Tidewater ring", category: "Rings", price: 12_900, metal: "rose", stone: "aqua", text: "A pale sea-blue stone in warm rose gold. The one that people give themselves." },
  { id: 18, name: "Fern band", category: "Rings", price: 34_500, metal: "gold", stone: "emerald", text: "A small green stone held by two leaves, carved in wax and cast in recycled gold." },
  { id: 21, name: "Landing necklace", category: "Necklaces", price: 26_000, metal: "gold", stone: "ruby", text: "A drop of deep red on a fine chain, 42 cm long with a link at 38." },
  { id: 22, name: "Moonrise pendant", category: "Necklaces", price: 19_500, metal: "silver", stone: "pearl", text: "A freshwater pearl that sits just below the collarbone." },
  { id: 23, name: "North star chain", category: "Necklaces", price: 41_000, metal: "gold", stone: "diamond", text: "Eight facets, one bright point. Worn short it goes with a collar, worn long with a coat." },
  { id: 31, name: "Rain earrings", category: "Earrings", price: 8_900, metal: "silver", stone: "aqua", text: "Two small drops that move when you do. Light enough to forget." },
  { id: 32, name: "Orchard drops", category: "Earrings", price: 15_400, metal: "rose", stone: "ruby", text: "Red stones like currants, on hooks that close." },
  { id: 33, name: "Pearl studs", category: "Earrings", price: 6_900, metal: "gold", stone: "pearl", text: "Matched by eye, pair by pair. Every box has one ready to wrap." },
  { id: 41, name: "Quay bangle", category: "Bracelets", price: 22_000, metal: "silver", stone: "onyx", text: "A round wire, hammered on the outside and smooth within." },
  { id: 42, name: "Garden bracelet", category: "Bracelets", price: 31_000, metal: "gold", stone: "emerald", text: "Seven green stones, each in its own cup, on a chain with a safety clasp." },
];

const METALS = { gold: ["#f6dfa0", "#b98a34"], silver: ["#f4f5f6", "#8f99a3"], rose: ["#f8d6c6", "#b9765d"] };
const STONES = {
  diamond: ["#ffffff", "#b9cfdb"],
  onyx: ["#59606a", "#14171b"],
  aqua: ["#d8f2f2", "#4fa3ad"],
  emerald: ["#8fd3ac", "#1d6b4a"],
  ruby: ["#f2a0a7", "#9c1f38"],
  pearl: ["#ffffff", "#dccfc0"],
};

/** A stone of radius `r`: a pearl is round, all others are cut. */
function drawStone(product, key, x, y, r) {
  const fill = `url(#${key}s)`;
  if (product.stone === "pearl") return `<circle cx="${x}" cy="${y}" r="${r}" fill="${fill}"/>`;
  const at = (turn, part) => [x + r * part * Math.sin((turn * Math.PI) / 4), y - r * part * Math.cos((turn * Math.PI) / 4)].map((n) => n.toFixed(1)).join(",");
  const ring = (part, shift) => Array.from({ length: 8 }, (_, turn) => at(turn + shift, part)).join(" ");
  const facets = Array.from({ length: 8 }, (_, turn) => `M${at(turn + 0.5, 1)}L${at(turn + 0.5, 0.55)}`).join("");
  return `<polygon points="${ring(1, 0.5)}" fill="${fill}"/><polygon points="${ring(0.55, 0.5)}" fill="#fff" fill-opacity=".35"/><path d="${facets}" stroke="#fff" stroke-opacity=".45" stroke-width=".8"/>`;
}

/** The drawing of each category, on a field of 200 x 200. */
const DRAWINGS = {
  Rings: (metal, stone) => `<ellipse cx="100" cy="118" rx="46" ry="50" fill="none" stroke="${metal}" stroke-width="9"/>${stone(100, 62, 24)}`,
  Necklaces: (metal, stone) =>
    `<path d="M34 22C40 92 72 122 100 128C128 122 160 92 166 22" fill="none" stroke="${metal}" stroke-width="2.6" stroke-dasharray="5 2"/><circle cx="100" cy="129" r="4" fill="none" stroke="${metal}" stroke-width="2.5"/>${stone(100, 152, 20)}`,
  Earrings: (metal, stone) =>
    [64, 136].map((x) => `<path d="M${x} 96V66a11 11 0 1 0-20-6" fill="none" stroke="${metal}" stroke-width="3"/>${stone(x, 118, 20)}`).join(""),
  Bracelets: (metal, stone) =>
    `<ellipse cx="100" cy="104" rx="64" ry="48" fill="none" stroke="${metal}" stroke-width="6"/>` +
    [-2, -1, 0, 1, 2].map((step) => stone(100 + 24 * step, 152 - 4 * step * step, 10)).join(""),
};

/** The product's picture as SVG. `key` makes its gradients unique on the page. */
function drawProduct(product, key) {
  const gradient = (suffix, [light, dark]) =>
    `<linearGradient id="${key}${suffix}" x1="0" y1="0" x2="1" y2="1"><stop stop-color="${light}"/><stop offset="1" stop-color="${dark}"/></linearGradient>`;
  const drawing = DRAWINGS[product.category](`url(#${key}m)`, (x, y, r) => drawStone(product, key, x, y, r));
  return `<svg viewBox="0 0 200 200" role="img" aria-label="${product.name}"><defs>${gradient("m", METALS[product.metal])}${gradient("s", STONES[product.stone])}</defs><ellipse cx="100" cy="180" rx="52" ry="6" fill="#2b2620" opacity=".07"/>${drawing}</svg>`;
}
