// The classification extension on the way back to a gRPC client.
#pragma once

#include "server/api/kserve/classification.hpp"
#include "server/api/services.hpp"
#include "server/dispatch/inference.hpp"
#include "server/models/model.hpp"

namespace shoal::api::grpc {

// `done`, called on the main lane with the answer in which the outputs named by `classes` are classes, or with the
// error of kserve::classify. Large outputs are sorted on the CPU pool meanwhile. Main lane.
dispatch::Completion classified(Services& services, models::ModelPtr model, kserve::Classes classes,
                                dispatch::Completion done);

}  // namespace shoal::api::grpc
