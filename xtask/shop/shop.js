// The sample shop's pages and the events they send. In scope: list, product, cart, checkout, sign-in.
// Out of scope: page views and engagement, which the tracker sends by itself.

"use strict";

const CURRENCY = "EUR";
const MAX_QUANTITY = 9;

const byId = (id) => document.getElementById(id);
const productOf = (id) => PRODUCTS.find((product) => product.id === Number(id));
/** Cents as the decimal string that events carry: 12900 is "129.00". */
const decimal = (cents) => (cents / 100).toFixed(2);
const price = (cents) => new Intl.NumberFormat("en-IE", { style: "currency", currency: CURRENCY, minimumFractionDigits: cents % 100 ? 2 : 0 }).format(cents / 100);
const escape = (text) => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);

/** Sends an event, and names it at the foot of the page for whoever is watching. */
function send(eventType, fields) {
  landfall(eventType, fields);
  const name = document.createElement("code");
  name.textContent = eventType;
  byId("trail").append(name);
}

// The cart: product id to quantity, kept in this browser.

function readCart() {
  try {
    const cart = JSON.parse(localStorage.getItem("shop.cart")) || {};
    return Object.keys(cart).map((id) => ({ product: productOf(id), quantity: cart[id] })).filter((line) => line.product);
  } catch {
    return [];
  }
}

function writeCart(lines) {
  localStorage.setItem("shop.cart", JSON.stringify(Object.fromEntries(lines.map((line) => [line.product.id, line.quantity]))));
  showBag();
}

const countOf = (lines) => lines.reduce((sum, line) => sum + line.quantity, 0);
const totalOf = (lines) => lines.reduce((sum, line) => sum + line.quantity * line.product.price, 0);

function showBag() {
  byId("bag-count").textContent = countOf(readCart());
}

/** Puts `change` more (or fewer) of a product into the cart and sends what happened. */
function changeCart(product, change) {
  const lines = readCart();
  const line = lines.find((other) => other.product === product) || { product, quantity: 0 };
  if (!lines.includes(line)) lines.push(line);
  const before = line.quantity;
  line.quantity = Math.max(0, Math.min(MAX_QUANTITY, before + change));
  writeCart(lines.filter((other) => other.quantity > 0));
  const quantity = Math.abs(line.quantity - before);
  const fields = { product_id: product.id, quantity, currency: CURRENCY, properties: { category: product.category } };
  if (quantity) send(line.quantity > before ? "add_to_cart" : "remove_from_cart", fields);
}

// Pages.

function cardOf(product) {
  return `<a class="card" href="product.html?id=${product.id}" data-test="product" data-product-id="${product.id}">
    <div class="picture">${drawProduct(product, "c" + product.id)}</div>
    <h3>${product.name}</h3><p>${price(product.price)}</p></a>`;
}

function showList() {
  const query = new URLSearchParams(location.search);
  const category = query.get("category") || "";
  const term = (query.get("q") || "").trim();
  const matches = (product) =>
    (!category || product.category === category) &&
    `${product.name} ${product.category} ${product.metal} ${product.stone}`.toLowerCase().includes(term.toLowerCase());
  const found = PRODUCTS.filter(matches);
  const categories = ["", ...new Set(PRODUCTS.map((product) => product.category))];
  byId("filters").innerHTML = categories
    .map((name) => `<a href="index.html${name && "?category=" + name}"${name === category ? ' aria-current="true"' : ""}>${name || "Everything"}</a>`)
    .join("");
  byId("products").innerHTML = found.map(cardOf).join("") || `<p class="empty">Nothing found for “${escape(term)}”.</p>`;
  document.querySelector(".search input").value = term;
  byId("feature").innerHTML = drawProduct(productOf(17), "f");
  if (term) send("search", { properties: { term, results: found.length } });
  send("product_list_view", { properties: { list: category || "all", products: found.length } });
}

function showProduct() {
  const product = productOf(new URLSearchParams(location.search).get("id"));
  if (!product) {
    byId("product").innerHTML = `<p class="empty">We do not have this piece. <a href="index.html">See all</a></p>`;
    byId("related-section").hidden = true;
    return;
  }
  document.title = `${product.name}, Landfall & Daughters`;
  byId("product").innerHTML = `<div class="picture">${drawProduct(product, "p")}</div>
    <div class="about"><p class="eyebrow">${product.category}</p><h1>${product.name}</h1><p class="price">${price(product.price)}</p>
    <p>${product.text}</p><button type="button" data-test="add-to-cart">Add to bag</button>
    <p class="added" hidden data-test="added">In your bag. <a href="cart.html">Go to the bag</a></p>
    <ul><li>Free delivery in two days</li><li>Thirty days to change your mind</li><li>Resizing and repair for life</li></ul></div>`;
  byId("product").querySelector("button").addEventListener("click", () => {
    changeCart(product, 1);
    byId("product").querySelector(".added").hidden = false;
  });
  const related = PRODUCTS.filter((other) => other !== product && (other.stone === product.stone || other.category === product.category));
  byId("products").innerHTML = related.slice(0, 4).map(cardOf).join("");
  send("product_view", { product_id: product.id, currency: CURRENCY, properties: { category: product.category, price: decimal(product.price) } });
}

function linesOf(lines) {
  return lines.map(({ product, quantity }) => `<div class="line" data-product-id="${product.id}" data-test="line">
      <a class="picture" href="product.html?id=${product.id}">${drawProduct(product, "l" + product.id)}</a>
      <div><h3>${product.name}</h3><p>${price(product.price)}</p></div>
      <div class="amount"><button class="quiet" type="button" data-change="-1" aria-label="One less">−</button><b>${quantity}</b><button class="quiet" type="button" data-change="1" aria-label="One more">+</button></div>
      <p class="sum">${price(product.price * quantity)}</p></div>`).join("");
}

const totalLine = (lines) => `<p class="total"><span>Total, delivery included</span><b data-test="total">${price(totalOf(lines))}</b></p>`;
const EMPTY = `<p class="empty">Your bag is empty. <a href="index.html">Have a look around</a></p>`;

function showCart() {
  const show = () => {
    const lines = readCart();
    byId("cart").innerHTML = lines.length
      ? `${linesOf(lines)}${totalLine(lines)}<p class="onward"><a class="button" href="checkout.html" data-test="to-checkout">Go to checkout</a></p>`
      : EMPTY;
  };
  byId("cart").addEventListener("click", ({ target }) => {
    if (!target.dataset.change) return;
    changeCart(productOf(target.closest(".line").dataset.productId), Number(target.dataset.change));
    show();
  });
  show();
}

function showCheckout() {
  const lines = readCart();
  if (!lines.length) {
    byId("order").outerHTML = EMPTY;
    return;
  }
  const rows = lines.map(({ product, quantity }) => `<li><span>${quantity} × ${product.name}</span><span>${price(product.price * quantity)}</span></li>`);
  byId("summary").innerHTML = `<ul>${rows.join("")}</ul>${totalLine(lines)}`;
  byId("order").addEventListener("submit", (event) => {
    event.preventDefault();
    placeOrder(lines);
  });
  send("begin_checkout", { quantity: countOf(lines), currency: CURRENCY, properties: { value: decimal(totalOf(lines)) } });
}

function placeOrder(lines) {
  const orderId = "LF-" + Array.from(crypto.getRandomValues(new Uint8Array(5)), (byte) => byte.toString(16).padStart(2, "0")).join("").toUpperCase();
  send("purchase", {
    order_id: orderId,
    revenue: decimal(totalOf(lines)),
    currency: CURRENCY,
    quantity: countOf(lines),
    items: lines.map(({ product, quantity }) => ({ product_id: product.id, quantity, unit_price: decimal(product.price) })),
  });
  writeCart([]);
  byId("checkout").innerHTML = `<div class="thanks"><h1>Thank you.</h1><p>Your order <b id="order-id" data-test="order-id">${orderId}</b> is on its way to the workshop.</p>
    <p><a class="button" href="index.html">Keep looking</a></p></div>`;
}

// Sign-in: a customer number, which every event then carries.

function showAccount() {
  const userId = localStorage.getItem("shop.user_id");
  byId("account").textContent = userId ? `Customer ${userId} · sign out` : "Sign in";
  return userId;
}

function offerSignIn() {
  const userId = showAccount();
  if (userId) landfall("identify", Number(userId));
  byId("account").addEventListener("click", () => {
    if (!localStorage.getItem("shop.user_id")) return byId("sign-in").showModal();
    localStorage.removeItem("shop.user_id");
    landfall("identify", null);
    showAccount();
  });
  byId("sign-in-form").addEventListener("submit", ({ target }) => {
    const number = target.elements.user_id.value;
    localStorage.setItem("shop.user_id", number);
    landfall("identify", Number(number));
    send("login", { properties: { method: "number" } });
    showAccount();
  });
  byId("sign-in").addEventListener("click", ({ target }) => target === byId("sign-in") && target.close());
}

offerSignIn();
showBag();
byId("search").addEventListener("submit", (event) => {
  event.preventDefault();
  location.href = "index.html?q=" + encodeURIComponent(event.target.elements.term.value);
});
({ list: showList, product: showProduct, cart: showCart, checkout: showCheckout })[document.body.dataset.page]();
