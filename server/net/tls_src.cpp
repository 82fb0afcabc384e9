// Boost.Asio's TLS part, compiled here once.
#include <boost/asio/ssl/impl/src.hpp>
