//! The Explorer inside the process, on a real socket, and in a real browser.

mod browser;
mod connections;
mod fuzz;
mod http;
mod running;
mod webdriver;
