// Simulates https://js.stripe.com/v3/buy-button.js: like Stripe's, it shows a frame. When it
// is inserted into a page, it passes its attributes on to the payment page.
(() => {
  const origin = new URL(document.currentScript.src).origin;
  class BuyButton extends HTMLElement {
    connectedCallback() {
      const query = new URLSearchParams();
      const reference = this.getAttribute("client-reference-id");
      const email = this.getAttribute("customer-email");
      if (reference) query.set("client_reference_id", reference);
      if (email) query.set("prefilled_email", email);
      const frame = document.createElement("iframe");
      frame.title = "Buy button";
      frame.src = `${origin}/embed/buy-button/${encodeURIComponent(this.getAttribute("buy-button-id") || "")}?${query}`;
      frame.style.cssText = "border:0;width:100%;max-width:320px;height:200px;display:block";
      this.style.display = "block";
      this.replaceChildren(frame);
    }
  }
  if (!customElements.get("stripe-buy-button")) customElements.define("stripe-buy-button", BuyButton);
})();
