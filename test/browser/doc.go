// Package browser drives a headless Chromium, to see a page as its readers do. It speaks
// the DevTools protocol over a pipe, one command at a time. (github.com/chromedp/chromedp
// does far more and is built of a hundred packages of generated code, which would take
// longer to compile in CI than the tests to run.)
package browser
