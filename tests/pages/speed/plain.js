// The same work in plain JavaScript: stores the click of the URL in cookie and storage, and adds it to every
// Payment Link.
{
  const id = new URLSearchParams(location.search).get('trac_click_id');
  if (/^clk_\d+_[0-9a-f]{16}$/.test(id)) {
    document.cookie = `trac_click_id=${id}; Path=/; Max-Age=7776000; SameSite=Lax`;
    localStorage.setItem('trac_click_id', id);
    for (const link of document.querySelectorAll('a[href]')) {
      const url = new URL(link.href);
      if (url.host === 'buy.stripe.com' && !url.searchParams.get('client_reference_id')) {
        url.searchParams.set('client_reference_id', id);
        link.setAttribute('href', url.href);
      }
    }
  }
}
