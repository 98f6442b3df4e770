//! End-to-end tests: a real server process, a real browser, a simulator of Stripe. One program, so that the server is
//! linked once.

mod asking_stripe;
mod bad_input;
mod checkout_to_webhook;
mod click_to_cookie;
mod command_line;
mod conversion_to_commission;
mod cookie_to_checkout;
mod crash;
mod crowded;
mod dashboard_pages;
mod disk_full;
mod genuine_events;
mod hostile_texts;
mod isolation;
mod kill_9;
mod operations;
mod other_systems;
mod outages;
mod payouts;
mod scenarios;
mod script_in_browsers;
mod script_on_merchants_pages;
mod script_on_pages;
mod script_package;
mod secrets;
mod server_checkout;
mod set_up_in_browser;
mod several_nodes;
mod simulation;
mod tracked_links;
mod webhook_to_conversion;
mod whole_flow;
