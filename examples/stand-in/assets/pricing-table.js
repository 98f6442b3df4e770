// Simulates https://js.stripe.com/v3/pricing-table.js: like Stripe's, it shows a frame. When
// it is inserted into a page, it passes its attributes on to the payment page.
(() => {
  const origin = new URL(document.currentScript.src).origin;
  class PricingTable extends HTMLElement {
    connectedCallback() {
      const query = new URLSearchParams();
      const reference = this.getAttribute("client-reference-id");
      const email = this.getAttribute("customer-email");
      if (reference) query.set("client_reference_id", reference);
      if (email) query.set("prefilled_email", email);
      const frame = document.createElement("iframe");
      frame.title = "Pricing table";
      frame.src = `${origin}/embed/pricing-table/${encodeURIComponent(this.getAttribute("pricing-table-id") || "")}?${query}`;
      frame.style.cssText = "border:0;width:100%;height:220px;display:block";
      this.style.display = "block";
      this.replaceChildren(frame);
    }
  }
  if (!customElements.get("stripe-pricing-table")) customElements.define("stripe-pricing-table", PricingTable);
})();
