//! A run whose configuration changes between two steps, and what its ledger says done again.

use anyhow::{Context as _, Result, anyhow};

use crate::config::{self, Loaded, Plan, live};
use crate::policy::Params;
use crate::slots::{Asked, Slot};
use crate::swap::{Event, Line, Origin, SET, Tuned};
use crate::train::begin::build;
use crate::train::settings::Settings;
use crate::train::trainer::Trainer;

impl Trainer {
    /// Changes values of the configuration, keys with dots, from the next step on. All or nothing: what cannot be used changes
    /// nothing.
    ///
    /// # Errors
    /// A key that a live run does not take, a value out of its range, or a policy that refuses its parameters.
    pub fn set(&mut self, set: &Params, origin: Origin) -> Result<()> {
        let plan = self.planned(set)?;
        self.expect_judges(&plan)?;
        self.expect_further(&plan)?;
        let now = self.now();
        // What a command began with is what its run is: it ends as such.
        let tried = origin == Origin::Control;
        let settings = tried
            .then(|| Settings::of(&self.plan.config, set, now))
            .flatten();
        let changed = |slot: &Slot| plan.slot(*slot).params != self.plan.slot(*slot).params;
        let slots: Vec<_> = Slot::all().filter(changed).collect();
        let mut tuned = Vec::new();
        for slot in slots {
            let overrides = plan.slot(slot).params;
            let candidate = self.rehearsing(|gate, rehearse| gate.tuned(slot, overrides, rehearse));
            tuned.extend(candidate?);
        }
        for (slot, name) in set.keys().filter_map(|key| live::parameter(key)) {
            let mut of_slot = tuned.iter().map(Tuned::policy);
            if let Some(policy) = of_slot.find(|policy| policy.slot() == slot) {
                policy.expect_param(name)?;
            }
        }
        self.gate
            .note_run(SET, set.clone(), origin, now)
            .context("the ledger cannot be written, so nothing is set")?;
        for candidate in tuned {
            self.gate.take(candidate, origin, now)?;
        }
        self.settings.extend(settings);
        self.follow_plan(plan)
    }

    /// The plan with other values.
    pub(crate) fn planned(&self, set: &Params) -> Result<Plan, config::Error> {
        Plan::new(Loaded {
            config: live::with(&self.plan.config, set)?,
            folder: self.plan.search.config.clone(),
        })
    }

    /// That a run without images to judge by is not asked to judge.
    fn expect_judges(&self, plan: &Plan) -> Result<(), config::Error> {
        if self.judged || plan.judging.online.is_empty() {
            return Ok(());
        }
        let message = "this run has no labelled images to judge by: expected [] as when it began (data.memory and data.eval name \
                       some for a new run)";
        Err(config::Error::Value {
            key: "eval.online".into(),
            message: message.into(),
        })
    }

    /// That a live run is not told to have ended already: it would end without its last evaluation and checkpoint.
    fn expect_further(&self, plan: &Plan) -> Result<(), config::Error> {
        let steps = plan.steps(self.loader.steps_per_epoch());
        if self.redoing || steps == self.steps || steps > self.step {
            return Ok(());
        }
        let train = &plan.config.train;
        let key = match train.steps == steps {
            true => "train.steps",
            false => "train.epochs",
        };
        Err(config::Error::Value {
            key: key.into(),
            message: format!(
                "expected more than the {} steps that are done, found {steps}; sandbox stop RUN ends it and saves everything",
                self.step
            ),
        })
    }

    /// Makes everything that a plan's numbers went into anew, with the state that it had.
    pub(crate) fn follow_plan(&mut self, plan: Plan) -> Result<()> {
        let method = self.method.state().into_iter().collect();
        let optimizer = self.optimizer.state().into_iter().collect();
        self.rate = plan.rate(self.loader.steps_per_epoch())?;
        self.steps = plan.steps(self.loader.steps_per_epoch());
        self.method = build::method(&plan, &self.query, &self.train)?;
        self.method.load(&method)?;
        self.parameters = self.query.parameters();
        self.parameters.extend(self.method.parameters());
        self.optimizer = plan.optimizer()?;
        self.optimizer.load(&optimizer, &self.parameters)?;
        if let Some(bank) = &mut self.bank {
            bank.momentum = plan.config.bank.momentum;
        }
        self.plan = plan;
        Ok(())
    }

    /// Begins a step: counts the trials, then does again what the ledger says somebody asked for here.
    ///
    /// # Errors
    /// What cannot be done again, with the line of the ledger: the run would be another one.
    pub fn begin_step(&mut self) -> Result<()> {
        let now = self.now();
        self.gate.begin_step(now);
        self.redo_due()
    }

    /// Whether there is a step to do, before `until` where that is said. A run that had ended and was lengthened later is lengthened
    /// again as its ledger says.
    ///
    /// # Errors
    /// As [`Trainer::begin_step`].
    pub fn goes_on(&mut self, until: Option<u64>) -> Result<bool> {
        let wanted = until.is_none_or(|until| self.step < until);
        if wanted && self.step >= self.steps {
            self.redo_due()?;
        }
        Ok(wanted && self.step < self.steps)
    }

    /// Does again what the ledger says somebody asked for here.
    fn redo_due(&mut self) -> Result<()> {
        let now = self.now();
        while let Some(line) = self.gate.due(now) {
            self.redoing = true;
            let redone = self.redo(&line);
            self.redoing = false;
            redone.with_context(|| {
                let (seq, event) = (line.seq, &line.event);
                format!(
                    "line {seq} of the ledger, '{event}' at step {}, cannot be done again",
                    line.step
                )
            })?;
        }
        Ok(())
    }

    fn redo(&mut self, line: &Line) -> Result<()> {
        let now = self.now();
        if line.event == SET {
            return self.set(&line.set, line.origin);
        }
        let about = line
            .about
            .as_ref()
            .ok_or_else(|| anyhow!("it names no slot"))?;
        if line.event == Event::RolledBack.name() {
            return Ok(self.gate.roll_back(about.slot, line.origin, now)?);
        }
        let slot = about.slot;
        if slot.contract().asked == Asked::WhereNamed && !self.gate.filled(slot) {
            let content = self.gate.stored(about)?;
            return Ok(self.fill(slot, content, line.origin)?);
        }
        self.rehearsing(|gate, rehearse| gate.redo(about, line.origin, now, rehearse))?;
        Ok(())
    }
}
