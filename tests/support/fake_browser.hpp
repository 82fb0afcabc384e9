// A driver and its "browser" for tests of the pool without a browser: the driver speaks WebDriver, its browser is a
// forked process that speaks the agent protocol. Run as a program of its own: the test binary is the driver when its
// first argument is --port=0.
//
// The agent answers a Load at once and a Run with its inputs as outputs; the instance of a Run may say otherwise:
//   "never" no answer   "die" exits   "stop" stops itself (SIGSTOP)   "garbage" sends what is no frame
//   "forget" cuts its connection, comes back with another one and has forgotten the run; "hold" has not
//   "gone" cuts its connection and does not come back, but lives
//   "error" answers OPERATOR_NOT_SUPPORTED   "leave" says Leaving
// The environment variable FAKE_AGENT_BUILD is the build of its hello.
#pragma once

namespace shoal::testing_support {

int fake_driver_main();

}  // namespace shoal::testing_support
