// Every field of ExperimentService with wrong values: the exact violations.
#include <functional>
#include <limits>

#include "absl/strings/str_cat.h"
#include "tests/integration/creation_fixture.h"

namespace gradeline {
namespace {

using absl::StatusCode;
using Service = v1::ExperimentService::Stub;

class ExperimentFields : public CreationTest {
 protected:
  Refusal WithLoss(const std::function<void(v1::HeadLoss&)>& change) {
    return Created([&](v1::Experiment& experiment) {
      v1::HeadLoss* loss = experiment.add_losses();
      loss->set_head("classification");
      loss->set_loss("cross_entropy");
      change(*loss);
    });
  }
  static google::protobuf::Value Number(double number) {
    google::protobuf::Value value;
    value.set_number_value(number);
    return value;
  }
};

const char kUuid[] = "is no UUID of the form 123e4567-e89b-12d3-a456-426614174000";

TEST_F(ExperimentFields, Names) {
  EXPECT_EQ(Created([](v1::Experiment&) {}), kOk);
  EXPECT_EQ(Created([](v1::Experiment& e) { e.set_name("new"), e.set_split("s"); }, "x"),
            Invalid({"experiment.name: \"new\" is no resource name of the form \"experiments/{id}\"",
                     "experiment.split: \"s\" is no resource name of the form \"splits/{id}\"",
                     absl::StrCat("requestId: \"x\" ", kUuid)}));
  EXPECT_EQ(Created([](v1::Experiment& e) {
              e.set_name("new");
              e.set_architecture("resnt");
              e.set_metrics(0, "acuracy");
              e.mutable_training()->set_epochs(-1);
              e.mutable_training()->set_rank_mean(static_cast<v1::RankMean>(3));
            }),
            Invalid({"experiment.name: \"new\" is no resource name of the form \"experiments/{id}\"",
                     "experiment.training.rankMean: 3 is unknown; allowed: RANK_MEAN_PER_RANK, RANK_MEAN_GLOBAL",
                     "experiment.architecture: there is no architecture \"resnt\"; did you mean resnet?",
                     "experiment.metrics[0]: no metric acuracy; did you mean accuracy?",
                     "experiment.training.epochs: is -1; allowed: integers in [1, 100000]"}));
  EXPECT_EQ(Created([](v1::Experiment& e) { e.set_split("splits/none"); }).texts,
            (std::vector<std::string>{"experiment.split: no split is called \"none\""}));
}

TEST_F(ExperimentFields, Architecture) {
  EXPECT_EQ(Created([](v1::Experiment& e) { e.set_architecture("resnt"); }),
            Invalid({"experiment.architecture: there is no architecture \"resnt\"; did you mean resnet?"}));
  EXPECT_EQ(Created([](v1::Experiment& e) { e.set_architecture("u-net"); }),
            (Refusal{StatusCode::kFailedPrecondition,
                     {"experiment.architecture: architecture u-net is for semantic-segmentation, not for task "
                      "classification; for that there are: efficientnet, fbnetv3-classification, resnet, small-cnn"}}));
  EXPECT_EQ(
      Created([](v1::Experiment& e) { (*e.mutable_architecture_parameters()->mutable_fields())["depht"] = Number(3); }),
      Invalid({"experiment.architectureParameters.depht: is no parameter; did you mean depth?"}));
}

TEST_F(ExperimentFields, Losses) {
  EXPECT_EQ(WithLoss([](v1::HeadLoss&) {}), kOk);
  EXPECT_EQ(WithLoss([](v1::HeadLoss& l) { l.set_head("box"); }),
            Invalid({"experiment.losses[0].head: \"box\" is not a head of resnet; there are classification"}));
  EXPECT_EQ(WithLoss([](v1::HeadLoss& l) { l.set_loss("cross_entropi"); }),
            Invalid({"experiment.losses[0].loss: there is no loss \"cross_entropi\"; did you mean cross_entropy, "
                     "dice_cross_entropy, ohem_cross_entropy?"}));
  EXPECT_EQ(
      WithLoss([](v1::HeadLoss& l) { l.set_loss("mse"); }),
      (Refusal{StatusCode::kFailedPrecondition,
               {"experiment.losses[0].loss: loss mse is not valid for head classification of task "
                "classification: it computes the signal value, the head's signal is multiclass; it is only for "
                "task regression, not for classification; valid: class_balanced_cross_entropy, cross_entropy, focal, "
                "kl_divergence, ohem_cross_entropy, poly1_cross_entropy, seesaw"}}));
  EXPECT_EQ(
      WithLoss([](v1::HeadLoss& l) {
        (*l.mutable_params()->mutable_fields())["label_smoothing"] = Number(2);
        (*l.mutable_params()->mutable_fields())["gama"] = Number(2);
        (*l.mutable_params()->mutable_fields())["ignore_index"] = Number(0.5);
      }),
      Invalid(
          {"experiment.losses[0].params.ignore_index: is 0.5; allowed: integers in [-2147483648, 2147483647]",
           "experiment.losses[0].params.label_smoothing: is 2; allowed: numbers in [0, 1]",
           "experiment.losses[0].params.gama: is no parameter; known: class_weights, ignore_index, label_smoothing"}));
  EXPECT_EQ(
      WithLoss([](v1::HeadLoss& l) {
        auto* list = (*l.mutable_params()->mutable_fields())["class_weights"].mutable_list_value();
        *list->add_values() = Number(1);
        *list->add_values() = Number(2);
      }),
      Invalid({"experiment.losses[0].params.class_weights: has 2 values; the head has 3 classes, allowed: one per "
               "class"}));
  EXPECT_EQ(WithLoss([](v1::HeadLoss& l) { l.set_weight(std::numeric_limits<double>::quiet_NaN()); }),
            Invalid({"experiment.losses[0].weight: nan is not a finite number of at least 0"}));
  EXPECT_EQ(WithLoss([](v1::HeadLoss& l) { l.set_reduction(static_cast<v1::Reduction>(17)); }),
            Invalid({"experiment.losses[0].reduction: 17 is unknown; allowed: REDUCTION_MEAN, REDUCTION_MEAN_ALL, "
                     "REDUCTION_SUM, REDUCTION_GIVEN, REDUCTION_NONE"}));
  EXPECT_EQ(WithLoss([](v1::HeadLoss& l) { l.set_reduction(v1::REDUCTION_NONE); }),
            Invalid({"experiment.losses[0].reduction: NONE gives a number per item; training needs one: MEAN, "
                     "MEAN_ALL, SUM or GIVEN"}));
  EXPECT_EQ(Created([](v1::Experiment& e) {
              e.add_losses()->set_head("classification");
              e.add_losses()->set_head("classification");
            }),
            Invalid({"experiment.losses[1].head: \"classification\" is given twice"}));
}

TEST_F(ExperimentFields, StartCancelAndResume) {
  MakeSplit();
  v1::CreateExperimentRequest create;
  *create.mutable_experiment() = ExperimentNamed("e", 1, 1);
  v1::Experiment experiment;
  ASSERT_TRUE(Call(&Service::CreateExperiment, experiment_, create, &experiment).ok());
  EXPECT_EQ(Refused<v1::Experiment>(&Service::CreateExperiment, experiment_, create),
            (Refusal{StatusCode::kAlreadyExists, {"experiment e exists"}}));
  const auto start = [&](const std::string& name, const std::string& id, const std::string& etag) {
    v1::StartExperimentRequest request;
    request.set_name(name);
    request.set_request_id(id);
    request.set_etag(etag);
    return Refused<v1::StartExperimentResponse>(&Service::StartExperiment, experiment_, request);
  };
  const auto cancel = [&](const std::string& name, const std::string& id, const std::string& etag) {
    v1::CancelExperimentRequest request;
    request.set_name(name);
    request.set_request_id(id);
    request.set_etag(etag);
    return Refused<v1::Experiment>(&Service::CancelExperiment, experiment_, request);
  };
  const auto resume = [&](const std::string& name, const std::string& id, const std::string& etag, int64_t first) {
    v1::ResumeExperimentRequest request;
    request.set_name(name);
    request.set_request_id(id);
    request.set_etag(etag);
    request.set_first_epoch(first);
    return Refused<v1::StartExperimentResponse>(&Service::ResumeExperiment, experiment_, request);
  };
  const Refusal both = Invalid(
      {"name: \"e\" is no resource name of the form \"experiments/{id}\"", absl::StrCat("requestId: \"7\" ", kUuid)});
  const Refusal none{StatusCode::kNotFound, {"no experiment is called \"none\""}};
  EXPECT_EQ(start("e", "7", ""), both);
  EXPECT_EQ(cancel("e", "7", ""), both);
  EXPECT_EQ(start("experiments/none", "", ""), none);
  EXPECT_EQ(cancel("experiments/none", "", ""), none);
  EXPECT_EQ(resume("e", "7", "", 0), both);
  EXPECT_EQ(resume("experiments/none", "", "", 0), none);
  EXPECT_EQ(resume("experiments/e", "", "", 0),
            (Refusal{StatusCode::kFailedPrecondition,
                     {"experiment e is DRAFT; this needs LOST, FAILED, CANCELLED or EARLY_STOPPED"}}));
  EXPECT_EQ(cancel("experiments/e", "", ""),
            (Refusal{StatusCode::kFailedPrecondition, {"experiment e is DRAFT; this needs QUEUED or RUNNING"}}));
  EXPECT_EQ(start("experiments/e", "", "wrong"),
            (Refusal{StatusCode::kAborted, {"experiment e has changed: its etag is 1, not wrong"}}));
  EXPECT_EQ(start("experiments/e", "", experiment.etag()), kOk);
  EXPECT_EQ(start("experiments/e", "", ""),
            (Refusal{StatusCode::kFailedPrecondition, {"experiment e is QUEUED; this needs DRAFT"}}));
  EXPECT_EQ(cancel("experiments/e", "", experiment.etag()),
            (Refusal{StatusCode::kAborted, {"experiment e has changed: its etag is 2, not 1"}}));
  EXPECT_EQ(cancel("experiments/e", "", ""), kOk);
  EXPECT_EQ(Get("e").state(), v1::EXPERIMENT_STATE_CANCELLED);
  EXPECT_EQ(resume("experiments/e", "", "1", 0),
            (Refusal{StatusCode::kAborted, {"experiment e has changed: its etag is 3, not 1"}}));
  EXPECT_EQ(resume("experiments/e", "", "", 1),
            Invalid({"firstEpoch: 1; allowed: 0 to 0, the first epoch whose training is not sealed complete"}));
  EXPECT_EQ(resume("experiments/e", "", "", 0), kOk);
  EXPECT_EQ(Get("e").attempt(), 2);
}

TEST_F(ExperimentFields, LabelsAndNotes) {
  EXPECT_EQ(Created([](v1::Experiment& e) {
              (*e.mutable_labels())["team"] = "vision";
              e.set_notes("fine");
            }),
            kOk);
  EXPECT_EQ(
      Created([](v1::Experiment& e) {
        (*e.mutable_labels())["Team"] = "";
        (*e.mutable_labels())["team"] = std::string(257, 'x');
        e.set_notes(std::string(16'385, 'x'));
      }),
      Invalid({"experiment.labels: \"Team\" is no key; allowed: 1 to 63 characters of a-z, 0-9, _ . and -, beginning "
               "with a letter",
               "experiment.labels.team: has 257 bytes; allowed: up to 256",
               "experiment.notes: has 16385 bytes; allowed: up to 16384"}));
}

TEST_F(ExperimentFields, Update) {
  MakeSplit();
  v1::CreateExperimentRequest create;
  *create.mutable_experiment() = ExperimentNamed("e", 1, 1);
  v1::Experiment made;
  ASSERT_TRUE(Call(&Service::CreateExperiment, experiment_, create, &made).ok());
  const auto update = [&](const std::function<void(v1::UpdateExperimentRequest&)>& change) {
    v1::UpdateExperimentRequest request;
    request.mutable_experiment()->set_name("experiments/e");
    change(request);
    return Refused<v1::Experiment>(&Service::UpdateExperiment, experiment_, request);
  };
  EXPECT_EQ(
      update([](auto& r) {
        r.mutable_experiment()->set_name("e");
        r.mutable_update_mask()->add_paths("note");
        r.set_request_id("7");
      }),
      Invalid(
          {"experiment.name: \"e\" is no resource name of the form \"experiments/{id}\"",
           absl::StrCat("requestId: \"7\" ", kUuid),
           "updateMask: \"note\" is no field; allowed: split, architecture, architecture_parameters, losses, "
           "metrics, training, labels, notes, a field of training, labels.KEY, a parameter of architecture_parameters, "
           "training.solver_parameters or training.scheduler_parameters, or * alone"}));
  EXPECT_EQ(
      update([](auto& r) {
        r.mutable_update_mask()->add_paths("note");
        r.mutable_update_mask()->add_paths("training");
        r.mutable_update_mask()->add_paths("split");
        r.mutable_experiment()->mutable_training()->set_epochs(-1);
        r.mutable_experiment()->mutable_training()->set_rank_mean(static_cast<v1::RankMean>(3));
      }),
      Invalid(
          {"updateMask: \"note\" is no field; allowed: split, architecture, architecture_parameters, losses, "
           "metrics, training, labels, notes, a field of training, labels.KEY, a parameter of architecture_parameters, "
           "training.solver_parameters or training.scheduler_parameters, or * alone",
           "experiment.split: \"\" is no resource name of the form \"splits/{id}\"",
           "experiment.training.rankMean: 3 is unknown; allowed: RANK_MEAN_PER_RANK, RANK_MEAN_GLOBAL",
           "experiment.training.epochs: is -1; allowed: integers in [1, 100000]"}));
  EXPECT_EQ(update([](auto& r) { r.mutable_experiment()->set_name("experiments/none"); }),
            (Refusal{StatusCode::kNotFound, {"no experiment is called \"none\""}}));
  EXPECT_EQ(update([](auto& r) { r.set_etag("7"); }),
            (Refusal{StatusCode::kAborted, {"experiment e has changed: its etag is 1, not 7"}}));
  const auto epochs = [](auto& r) {
    r.mutable_update_mask()->add_paths("training.epochs");
    r.mutable_experiment()->mutable_training()->set_epochs(5);
    r.mutable_experiment()->mutable_training()->set_batch_size(5);
  };
  EXPECT_EQ(update([&](auto& r) { epochs(r), r.set_validate_only(true); }), kOk);
  EXPECT_EQ(Get("e").etag(), "1");
  EXPECT_EQ(update(epochs), kOk);
  EXPECT_EQ(Get("e").training().epochs(), 5);
  EXPECT_NE(Get("e").training().batch_size(), 5);
  Started("s");
  EXPECT_EQ(
      update([&](auto& r) { epochs(r), r.mutable_experiment()->set_name("experiments/s"); }),
      (Refusal{StatusCode::kFailedPrecondition,
               {"experiment s is QUEUED; changing training needs DRAFT (labels and notes change in any state)"}}));
  EXPECT_EQ(update([&](auto& r) {
              r.mutable_experiment()->set_name("experiments/s");
              (*r.mutable_experiment()->mutable_labels())["team"] = "vision";
            }),
            kOk);
  EXPECT_EQ(Get("s").labels().at("team"), "vision");
}

TEST_F(ExperimentFields, CloneDeleteAndUndelete) {
  MakeSplit();
  v1::CreateExperimentRequest create;
  *create.mutable_experiment() = ExperimentNamed("e", 1, 1);
  v1::Experiment made;
  ASSERT_TRUE(Call(&Service::CreateExperiment, experiment_, create, &made).ok());
  const auto clone = [&](const std::string& name, const std::string& new_name, const std::string& id) {
    v1::CloneExperimentRequest request;
    request.set_name(name);
    request.set_new_name(new_name);
    request.set_request_id(id);
    return Refused<v1::Experiment>(&Service::CloneExperiment, experiment_, request);
  };
  const auto remove = [&](const std::string& name, const std::string& id, const std::string& etag, bool purge = false) {
    v1::DeleteExperimentRequest request;
    request.set_name(name);
    request.set_request_id(id);
    request.set_etag(etag);
    request.set_purge(purge);
    return Refused<v1::Experiment>(&Service::DeleteExperiment, experiment_, request);
  };
  const auto undelete = [&](const std::string& name, const std::string& id, const std::string& etag) {
    v1::UndeleteExperimentRequest request;
    request.set_name(name);
    request.set_request_id(id);
    request.set_etag(etag);
    return Refused<v1::Experiment>(&Service::UndeleteExperiment, experiment_, request);
  };
  const std::string no_name = "\"e\" is no resource name of the form \"experiments/{id}\"";
  const std::string no_id = absl::StrCat("requestId: \"7\" ", kUuid);
  const Refusal none{StatusCode::kNotFound, {"no experiment is called \"none\""}};
  EXPECT_EQ(clone("e", "e", "7"), Invalid({"name: " + no_name, "newName: " + no_name, no_id}));
  EXPECT_EQ(clone("experiments/none", "experiments/f", ""), none);
  EXPECT_EQ(clone("experiments/e", "experiments/e", ""),
            (Refusal{StatusCode::kAlreadyExists, {"experiment e exists"}}));
  EXPECT_EQ(clone("experiments/e", "experiments/f", ""), kOk);
  EXPECT_EQ(remove("e", "7", ""), Invalid({"name: " + no_name, no_id}));
  EXPECT_EQ(undelete("e", "7", ""), Invalid({"name: " + no_name, no_id}));
  EXPECT_EQ(remove("experiments/none", "", ""), none);
  EXPECT_EQ(undelete("experiments/none", "", ""), none);
  EXPECT_EQ(undelete("experiments/e", "", ""), (Refusal{StatusCode::kAlreadyExists, {"experiment e is not deleted"}}));
  EXPECT_EQ(
      remove("experiments/e", "", "", true),
      (Refusal{StatusCode::kFailedPrecondition, {"experiment e is not deleted; only a deleted one can be purged"}}));
  const Refusal etag{StatusCode::kAborted, {"experiment e has changed: its etag is 1, not 7"}};
  EXPECT_EQ(remove("experiments/e", "", "7"), etag);
  EXPECT_EQ(undelete("experiments/e", "", "7"), etag);
  EXPECT_EQ(remove("experiments/e", "", "1"), kOk);
  v1::GetExperimentRequest get;
  get.set_name("experiments/e");
  EXPECT_EQ(Refused<v1::Experiment>(&Service::GetExperiment, experiment_, get),
            (Refusal{StatusCode::kNotFound,
                     {"experiment e is deleted; it can be shown with the deleted ones, and undeleted"}}));
  get.set_show_deleted(true);
  ASSERT_TRUE(Call(&Service::GetExperiment, experiment_, get, &made).ok());
  EXPECT_TRUE(made.has_delete_time());
  EXPECT_EQ(undelete("experiments/e", "", "2"), kOk);
  EXPECT_FALSE(Get("e").has_delete_time());
}

TEST_F(ExperimentFields, FilterAndOrder) {
  MakeSplit();
  v1::ListExperimentsRequest request;
  request.set_page_size(-1);
  request.set_filter("stat = RUNNING");
  request.set_order_by("age");
  EXPECT_EQ(
      Refused<v1::ListExperimentsResponse>(&Service::ListExperiments, experiment_, request),
      Invalid({"pageSize: -1 is negative; allowed: 0 (the default of 100) to 1000",
               "filter: at 1: \"stat\" is no field; allowed: name, state, split, architecture, task, create_time, "
               "labels.KEY",
               "orderBy: at 1: \"age\" is no field; allowed: name, state, split, architecture, task, create_time"}));
  for (const char* name : {"a", "b", "c"}) {
    v1::CreateExperimentRequest create;
    *create.mutable_experiment() = ExperimentNamed(name, 1, 1);
    v1::Experiment made;
    ASSERT_TRUE(Call(&Service::CreateExperiment, experiment_, create, &made).ok());
  }
  request.set_page_size(2);
  request.set_filter("state = DRAFT AND split = s");
  request.set_order_by("name desc");
  v1::ListExperimentsResponse page;
  ASSERT_TRUE(Call(&Service::ListExperiments, experiment_, request, &page).ok());
  ASSERT_EQ(page.experiments_size(), 2);
  EXPECT_EQ(page.experiments(0).name(), "experiments/c");
  request.set_page_token(page.next_page_token());
  ASSERT_TRUE(Call(&Service::ListExperiments, experiment_, request, &page).ok());
  ASSERT_EQ(page.experiments_size(), 1);
  EXPECT_EQ(page.experiments(0).name(), "experiments/a");
  EXPECT_EQ(page.next_page_token(), "");
  request.set_order_by("name");
  EXPECT_EQ(Refused<v1::ListExperimentsResponse>(&Service::ListExperiments, experiment_, request),
            Invalid({"pageToken: was made for other arguments; only page_size may change between pages"}));
}

TEST_F(ExperimentFields, GetListsAndWatch) {
  const Refusal bad = Invalid({"name: \"e\" is no resource name of the form \"experiments/{id}\""});
  v1::GetExperimentRequest get;
  get.set_name("e");
  EXPECT_EQ(Refused<v1::Experiment>(&Service::GetExperiment, experiment_, get), bad);
  get.set_name("experiments/none");
  const Refusal none{StatusCode::kNotFound, {"no experiment is called \"none\""}};
  EXPECT_EQ(Refused<v1::Experiment>(&Service::GetExperiment, experiment_, get), none);
  v1::ListEpochsRequest epochs;
  epochs.set_parent("experiments/none");
  EXPECT_EQ(Refused<v1::ListEpochsResponse>(&Service::ListEpochs, experiment_, epochs), none);
  epochs.set_parent("e");
  epochs.set_page_size(-2);
  epochs.set_page_token("!");
  EXPECT_EQ(Refused<v1::ListEpochsResponse>(&Service::ListEpochs, experiment_, epochs),
            Invalid({"parent: \"e\" is no resource name of the form \"experiments/{id}\"",
                     "pageSize: -2 is negative; allowed: 0 (the default of 100) to 1000",
                     "pageToken: is no token of this server; take next_page_token of the page before"}));
  v1::ListAttemptsRequest attempts;
  attempts.set_parent("experiments/none");
  EXPECT_EQ(Refused<v1::ListAttemptsResponse>(&Service::ListAttempts, experiment_, attempts), none);
  attempts.set_parent("e");
  attempts.set_page_size(-2);
  attempts.set_page_token("!");
  EXPECT_EQ(Refused<v1::ListAttemptsResponse>(&Service::ListAttempts, experiment_, attempts),
            Refused<v1::ListEpochsResponse>(&Service::ListEpochs, experiment_, epochs));
  const auto watch = [&](const std::string& name, int64_t revision) {
    grpc::ClientContext context;
    context.set_deadline(SoonEnough());
    v1::WatchExperimentRequest request;
    request.set_name(name);
    request.set_from_revision(revision);
    const auto reader = experiment_->WatchExperiment(&context, request);
    v1::WatchExperimentResponse response;
    while (reader->Read(&response)) {
    }
    return RefusalOf(StatusOf(reader->Finish()));
  };
  EXPECT_EQ(watch("e", -1), Invalid({bad.texts[0], "fromRevision: -1 is negative; allowed: 0 and above"}));
  EXPECT_EQ(watch("experiments/none", 0), none);
  Started("w");
  EXPECT_EQ(watch("experiments/w", 1000),
            (Refusal{StatusCode::kOutOfRange, {"revision 1000 is not reached: experiment w is at 2"}}));
}

}  // namespace
}  // namespace gradeline
