//! When a run is evaluated, and what is written down of it.

use crate::diagnostics::pictures::Picture;
use crate::ground::stop::Stopped;
use crate::judge::{Subject, Verdicts};
use crate::train::records::window::Window;
use crate::train::records::{Records, pictures};
use crate::train::step::Report;
use crate::train::trainer::Trainer;

impl Records {
    pub(crate) fn evaluation_due(&self, trainer: &Trainer) -> bool {
        let every = trainer.plan.config.eval.every;
        let epoch = trainer.step / trainer.loader.steps_per_epoch();
        trainer.step == trainer.steps
            || (every > 0 && trainer.begins_epoch() && epoch.is_multiple_of(every))
    }

    /// Evaluates after a step; `report` is what it left, for the pictures.
    ///
    /// # Errors
    /// When the process was asked to stop meanwhile. The evaluation is owed then, and made when the run goes on.
    pub(crate) fn evaluate(
        &mut self,
        trainer: &mut Trainer,
        report: Option<&Report>,
    ) -> Result<(), Stopped> {
        let deciders = trainer.deciders();
        let trainer: &Trainer = trainer;
        let subject = Subject::new(&trainer.query, trainer.into()).deciding(deciders);
        let online = trainer.plan.judging.online.iter();
        let verdicts: Result<_, _> = online.map(|&one| subject.verdict(one)).collect();
        self.course.owes_evaluation = verdicts.is_err();
        self.verdicts = Verdicts(verdicts?);
        self.lapse_of_verdicts(trainer.step);
        self.course.knn = self.verdicts.knn();
        let mut scalars = self.verdicts.scalars();
        scalars.extend(self.diagnosis.of_bank(trainer, trainer.step - 1));
        self.scalars(
            trainer.step,
            (trainer.step - 1) / trainer.loader.steps_per_epoch(),
            &scalars,
        );
        let said = self.verdicts.headline();
        if !said.is_empty() {
            self.say(&format!("step {}: {said}", trainer.step));
        }
        if let Some(report) = report.filter(|_| pictures::due(trainer)) {
            for (tag, picture) in pictures::round(trainer, report, self.diagnosis.truth()) {
                let Picture { png, width, height } = &picture;
                self.recorder.image(tag, trainer.step, png, *width, *height);
            }
        }
        // The evaluation's time is not the next step's.
        self.window = Window::open();
        Ok(())
    }
}
